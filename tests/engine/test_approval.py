"""Calls that need a person's approval: the run ends with the question, and the answer is carried out by the next."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from pagemind import faults
from pagemind.engine.carry import carry
from pagemind.engine.closing import withdraw
from pagemind.engine.job import Job
from pagemind.engine.kernel import Kernel
from pagemind.engine.reset import reset
from pagemind.errors import BadModel, PendingApproval, UnknownApproval
from pagemind.records import Approval, Input, Request, Role, RunState
from pagemind.settings import Settings
from pagemind.store import runs
from pagemind.testing import Bench, bench, call
from pagemind.testing.vectors import HashEmbedder

from .asking import answer, assert_well_formed, change, events_of, history, returns, rules, said, stop, words

pytestmark = pytest.mark.anyio

ASKS = {"type": "requires_approval", "tool_name": "core_memory_append"}
NOTE = call("core_memory_append", call_id="note", label="human", content="Ada")
LOOK = call("conversation_search", call_id="look", query="Ada")


async def ask_for(chat: Bench, *lines: object) -> None:
    """Let the agent want to note something, with what it says after it has the answer."""
    await rules(chat, ASKS)
    chat.model.will(NOTE, *lines)  # pyright: ignore[reportArgumentType]
    assert (await said(chat, "I am Ada."))[0] == "requires_approval"


async def test_a_call_that_needs_approval_ends_the_run_and_does_not_run(chat: Bench) -> None:
    await ask_for(chat)
    [asked] = [message for message in await history(chat) if message.needs_approval]
    assert asked.calls == [{"id": "note", "name": "core_memory_append", "arguments": NOTE.arguments, "waits": True}]
    assert await chat.block("human") == ""
    [newest] = await chat.runtime.runs(chat.conversation.id)
    assert (newest.state, newest.stop_reason) == (RunState.completed, "requires_approval")


async def test_an_approved_call_runs_and_the_agent_goes_on(chat: Bench) -> None:
    await ask_for(chat, "Noted.")
    reason, events = await answer(chat, Approval("note"))
    assert (reason, words(events), await chat.block("human")) == ("end_turn", ["Noted."], "Ada")
    assert [status for _, status, _ in returns(events)] == ["ok"]
    assert [m.role for m in await history(chat)] == ["user", "assistant", "approval", "tool", "assistant"]
    assert_well_formed(await history(chat))
    assert [m.role for m in chat.model.prompts[1].messages[-3:]] == ["user", "assistant", "tool"]


async def test_a_denied_call_does_not_run_and_the_agent_reads_why(chat: Bench) -> None:
    await ask_for(chat, "As you wish.")
    reason, events = await answer(chat, Approval("note", approve=False, reason="not now"))
    [(name, status, told)] = returns(events)
    assert (reason, name, status, await chat.block("human")) == ("end_turn", "core_memory_append", "error", "")
    assert "denied by the user. Reason: not now" in told
    assert_well_formed(await history(chat))


async def test_what_needs_no_approval_waits_for_the_call_beside_it(chat: Bench) -> None:
    await rules(chat, ASKS)
    chat.model.will([LOOK, NOTE], "Both.")
    await said(chat, "Go.")
    reason, events = await answer(chat, Approval("note"))
    assert (reason, [name for name, _, _ in returns(events)]) == ("end_turn", ["conversation_search", "core_memory_append"])
    assert_well_formed(await history(chat))


async def test_a_message_is_refused_while_calls_wait(chat: Bench) -> None:
    await ask_for(chat)
    [asked] = [message for message in await history(chat) if message.needs_approval]
    with pytest.raises(PendingApproval) as refused:
        await chat.runtime.accept(chat.conversation.id, "Hello?")
    assert refused.value.message_id == asked.id
    assert len(await history(chat)) == 2


@pytest.mark.parametrize(
    "given",
    [[Approval("other")], [Approval("note"), Approval("other")], [Approval("note"), Approval("note")]],
    ids=["another", "one more", "twice"],
)
async def test_an_answer_to_other_calls_is_refused(chat: Bench, given: list[Approval]) -> None:
    await ask_for(chat)
    with pytest.raises(UnknownApproval, match="note"):
        await chat.runtime.accept(chat.conversation.id, [], request=Request(approvals=tuple(given)))


async def test_an_answer_is_refused_where_nothing_waits(chat: Bench) -> None:
    with pytest.raises(UnknownApproval):
        await chat.runtime.accept(chat.conversation.id, [], request=Request(approvals=(Approval("note"),)))


async def test_the_same_answer_sent_again_joins_the_first_and_runs_nothing_twice(chat: Bench) -> None:
    await ask_for(chat, "Noted.")
    request = Request(approvals=(Approval("note"),))
    first = await chat.runtime.accept(chat.conversation.id, [], request=request)
    second = await chat.runtime.accept(chat.conversation.id, [], request=request)
    await events_of(chat, first)
    third = await chat.runtime.accept(chat.conversation.id, [], request=request)
    assert first.id == second.id == third.id
    assert await chat.block("human") == "Ada"
    with pytest.raises(UnknownApproval):
        await chat.runtime.accept(chat.conversation.id, [], request=Request(approvals=(Approval("note", approve=False),)))


async def test_a_message_beside_the_answer_comes_after_the_returns(chat: Bench) -> None:
    await ask_for(chat, "Hello, Ada.")
    reason, _ = await answer(chat, Approval("note"), inputs=[Input("And hello.")])
    assert reason == "end_turn"
    assert [m.role for m in await history(chat)] == ["user", "assistant", "approval", "tool", "user", "assistant"]
    assert_well_formed(await history(chat))


async def test_an_approved_terminal_tool_ends_the_run(chat: Bench) -> None:
    await rules(chat, ASKS, {"type": "exit_loop", "tool_name": "core_memory_append"})
    chat.model.will(NOTE, "never")
    await said(chat, "I am Ada.")
    assert (await answer(chat, Approval("note")))[0] == "tool_rule"
    assert chat.model.left == 1
    chat.model.will("Hello.")
    assert (await said(chat, "Next."))[0] == "end_turn"
    assert_well_formed(await history(chat))


async def test_rules_count_across_the_approval(chat: Bench) -> None:
    await rules(chat, ASKS, {"type": "max_count_per_step", "tool_name": "core_memory_append", "max_count_limit": 1})
    again = call("core_memory_append", call_id="again", label="human", content="Bob")
    chat.model.will(NOTE, again, "Done.")
    await said(chat, "I am Ada.")
    reason, events = await answer(chat, Approval("note"))
    assert (reason, [status for _, status, _ in returns(events)]) == ("end_turn", ["ok", "error"])


async def test_a_question_that_is_taken_back_lets_the_conversation_go_on(chat: Bench) -> None:
    await ask_for(chat, "Hello.")
    [asking] = await chat.runtime.runs(chat.conversation.id)
    assert await withdraw(chat.runtime.kernel, chat.conversation.id) == asking.id
    assert await withdraw(chat.runtime.kernel, chat.conversation.id) is None
    assert (await said(chat, "Hello?"))[0] == "end_turn"
    assert_well_formed(await history(chat))


async def test_a_window_that_is_emptied_takes_the_question_back(chat: Bench) -> None:
    await ask_for(chat, "Hello.")
    await reset(chat.runtime.kernel, chat.conversation.id)
    assert (await said(chat, "Hello?"))[0] == "end_turn"
    assert [m.role for m in chat.model.prompts[-1].messages if m.role in ("tool", "assistant")] == []
    assert_well_formed(await history(chat))


async def test_a_message_accepted_before_the_question_passes_it_over(chat: Bench) -> None:
    await rules(chat, ASKS)
    chat.model.will(NOTE, "Next.")
    first = await chat.runtime.accept(chat.conversation.id, "I am Ada.")
    second = await chat.runtime.accept(chat.conversation.id, "Quick.")
    assert (stop(await events_of(chat, first)), stop(await events_of(chat, second))) == ("requires_approval", "end_turn")
    assert_well_formed(await history(chat))
    assert await chat.block("human") == ""


async def test_a_cancelled_answer_leaves_nothing_open(chat: Bench) -> None:
    await ask_for(chat, "Hello.")
    async with bench(chat.runtime.settings, model=chat.model, embedder=HashEmbedder(), work=False) as looking:
        request = Request(approvals=(Approval("note"),))
        run = await looking.runtime.accept(chat.conversation.id, [], request=request)
        await looking.runtime.cancel(run.id)
    assert stop(await events_of(chat, run)) in ("cancelled", "end_turn")
    assert_well_formed(await history(chat))


async def test_a_window_is_paged_while_calls_wait_without_a_call_in_any_prompt(chat: Bench) -> None:
    chat.model.will(*["word " * 300] * 8)
    for n in range(8):
        await said(chat, f"Message {n}.")
    await ask_for(chat, "Noted.")
    compacted = await chat.runtime.compact(chat.conversation.id)
    assert compacted is not None
    assert all(not message.calls for prompt in chat.model.prompts if prompt.purpose == "summary" for message in prompt.messages)
    reason, _ = await answer(chat, Approval("note"))
    assert reason == "end_turn"
    assert_well_formed(await history(chat))


async def test_a_tool_that_went_meanwhile_is_an_error_that_the_agent_reads(chat: Bench) -> None:
    await ask_for(chat, "A pity.")
    await change(chat, tools=["conversation_search"])
    reason, events = await answer(chat, Approval("note"))
    assert (reason, [status for _, status, _ in returns(events)]) == ("end_turn", ["error"])
    assert_well_formed(await history(chat))


async def test_a_model_setting_that_cannot_be_is_refused_at_once(chat: Bench) -> None:
    with pytest.raises(BadModel, match="temperature"):
        await chat.runtime.accept(chat.conversation.id, "Hello.", request=Request(model={"temperature": 9}))


class Died(BaseException):
    """The worker's death."""


async def carry_next(chat: Bench, kernel: Kernel) -> None:
    """Be a worker that claims the next run, whoever had it before, and carries it."""
    async with kernel.database.transaction() as session:
        await session.execute(text("UPDATE runs SET lease_until = now() - interval '1 hour' WHERE state = 'running'"))
        run = await runs.claim(session, uuid4(), lease_seconds=60)
    assert run is not None
    await carry(Job.of(run, kernel.hub), kernel)


BELL = '''
from pathlib import Path
from pagemind.toolbox import tool

@tool
def ring() -> str:
    """Ring the bell."""
    with Path({log!r}).open("a") as log:
        log.write("x")
    return "It rang."
'''


@pytest.mark.parametrize(
    ("point", "status", "rung"),
    [
        ("begin.after_commit", "ok", "x"),
        ("act.before_intent", "ok", "x"),
        ("act.after_intent", "error", ""),
        ("act.after_call", "error", "x"),
        ("act.after_record", "ok", "x"),
        ("persist.before_commit", "ok", "x"),
        ("persist.after_commit", "ok", "x"),
    ],
)
async def test_a_worker_that_dies_anywhere_in_the_answer_never_runs_the_approved_call_twice(
    settings: Settings, tmp_path: Path, point: str, status: str, rung: str
) -> None:
    log = tmp_path / "log"
    (tmp_path / "bell.py").write_text(BELL.format(log=str(log)))

    async with bench(settings, embedder=HashEmbedder(), work=False) as chat:
        kernel = chat.runtime.kernel.with_tools(tmp_path)
        await change(chat, tools=["ring"], rules=[{"type": "requires_approval", "tool_name": "ring"}])
        chat.model.will(call("ring", call_id="r"), "It rang.")
        await chat.runtime.accept(chat.conversation.id, "Ring.")
        await carry_next(chat, kernel)
        await chat.runtime.accept(chat.conversation.id, [], request=Request(approvals=(Approval("r"),)))

        def die(reached: str) -> None:
            if reached == point:
                faults.install(None)
                raise Died

        faults.install(die)
        with pytest.raises(Died):
            await carry_next(chat, kernel)
        await carry_next(chat, kernel)
        messages = await history(chat)
        assert_well_formed(messages)
        [returned] = [message for message in messages if message.role == Role.tool]
        assert (returned.status, messages[-1].content) == (status, "It rang.")
        assert (log.read_text() if log.exists() else "") == rung
