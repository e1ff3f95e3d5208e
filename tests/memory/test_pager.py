"""The pager: what leaves is whole, oldest first, never the newest, and worth it."""

from __future__ import annotations

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from pagemind.memory.pager import Budget, exchanges, plan_eviction
from pagemind.records import Message, Role

TENANT, CONVERSATION = uuid4(), uuid4()
BUDGET = Budget(window_tokens=1_000, reserve_tokens=100, summary_tokens=60)

sizes = st.lists(st.lists(st.integers(1, 200), min_size=1, max_size=4), max_size=12)


def resident(of: list[list[int]]) -> list[Message]:
    """Messages of these sizes, an exchange a list."""
    made: list[Message] = []
    for run, exchange in enumerate(of):
        for tokens in exchange:
            made.append(
                Message(
                    tenant_id=TENANT,
                    conversation_id=CONVERSATION,
                    run_id=UUID(int=run),
                    role=Role.user,
                    seq=len(made) + 1,
                    tokens=tokens,
                )
            )
    return made


@given(sizes, st.integers(0, 300), st.integers(0, 60), st.sampled_from([0, BUDGET.cold, BUDGET.early, BUDGET.high]))
def test_a_plan_moves_whole_exchanges_oldest_first_and_frees_more_than_a_summary_costs(
    of: list[list[int]], fixed: int, summary: int, above: int
) -> None:
    messages = resident(of)
    used = fixed + summary + sum(message.tokens for message in messages)
    plan = plan_eviction(messages, fixed, summary, BUDGET, above)
    if plan is None:
        return
    assert used > above
    assert list(plan.messages) == messages[: len(plan.messages)]
    gone = [message.run_id for message in plan.messages]
    stays = [message.run_id for message in messages[len(plan.messages) :]]
    assert stays
    assert not set(gone) & set(stays)
    assert (plan.first_seq, plan.resident_from) == (1, plan.last_seq + 1)
    assert plan.tokens > BUDGET.summary_tokens - summary
    # Not one exchange more than it takes to come down to the low watermark.
    *_, last = exchanges(plan.messages)
    without_last = used - plan.tokens + sum(message.tokens for message in last) + BUDGET.summary_tokens - summary
    assert without_last > BUDGET.low or len(exchanges(plan.messages)) == 1


@given(sizes, st.integers(0, 300))
def test_up_to_the_watermark_nothing_moves(of: list[list[int]], fixed: int) -> None:
    messages = resident(of)
    used = fixed + sum(message.tokens for message in messages)
    assert plan_eviction(messages, fixed, 0, BUDGET, above=used) is None


def test_an_exchange_that_is_smaller_than_its_summary_stays() -> None:
    messages = resident([[30, 20], [400]])
    assert plan_eviction(messages, 500, 0, BUDGET, above=0) is None
    plan = plan_eviction(messages, 500, 60, BUDGET, above=0)
    assert plan is not None
    assert plan.tokens == 50


def test_the_watermarks_stand_in_order() -> None:
    assert (BUDGET.low, BUDGET.cold, BUDGET.early, BUDGET.high, BUDGET.capacity) == (400, 650, 800, 900, 900)


def test_where_no_run_made_the_messages_each_input_begins_an_exchange() -> None:
    roles = [Role.system, Role.user, Role.assistant, Role.tool, Role.assistant, Role.user, Role.assistant]
    came = [
        Message(tenant_id=TENANT, conversation_id=CONVERSATION, role=role, seq=place) for place, role in enumerate(roles, 1)
    ]
    here = [
        Message(tenant_id=TENANT, conversation_id=CONVERSATION, run_id=UUID(int=1), role=role, seq=place)
        for place, role in enumerate([Role.user, Role.user, Role.assistant], 8)
    ]
    assert [[message.seq for message in exchange] for exchange in exchanges([*came, *here])] == [
        [1],
        [2, 3, 4, 5],
        [6, 7],
        [8, 9, 10],
    ]
