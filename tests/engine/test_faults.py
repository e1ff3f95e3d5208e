"""Page faults: what was paged out and needed again is recorded, and what faults often may stay in view."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import pytest
from sqlalchemy import select

from pagemind.events import Compacted, Event, StepEnded
from pagemind.memory.faulting import faults, worth_keeping
from pagemind.memory.hits import blocks_used
from pagemind.records import Block, CallRequest, Completion, Message, MessageHit, PageFault, Role, now
from pagemind.settings import Settings
from pagemind.testing import Bench, ScriptedReasoner, bench, call
from pagemind.testing.vectors import HashEmbedder

WINDOW = 2_048
DENTIST = "My dentist is called Dr. Quill."


async def stored(chat: Bench) -> list[PageFault]:
    async with chat.runtime.kernel.database.transaction() as session:
        return list((await session.execute(select(PageFault).order_by(PageFault.created_at))).scalars())  # pyright: ignore[reportArgumentType]


async def say(chat: Bench, text: str) -> list[Event]:
    run = await chat.runtime.accept(chat.conversation.id, text)
    return [event async for event in chat.runtime.follow(run.id)]


async def until_paged_out(chat: Bench, seq: int) -> int:
    """Talk until the message is out; how many turns of that talk were needed."""
    for turn in range(1, 40):
        chat.model.will("Sheep.")
        for event in await say(chat, "sheep " * 100):
            if isinstance(event, Compacted) and event.last_seq >= seq:
                return turn
    raise AssertionError("nothing was paged out")


async def look_up(chat: Bench, *queries: str) -> StepEnded:
    """Ask a question that the model answers by these searches; the event of the step that made them."""
    chat.model.will([call("conversation_search", query=query) for query in queries], "Dr. Quill.")
    return next(event for event in await say(chat, "Who is my dentist?") if isinstance(event, StepEnded))


@pytest.mark.anyio
async def test_a_message_that_was_paged_out_and_searched_for_is_one_fault_with_its_time_and_cost(settings: Settings) -> None:
    async with bench(settings, model=ScriptedReasoner(WINDOW), embedder=HashEmbedder(), memory={"summary_tokens": 64}) as chat:
        chat.model.will("Good to know.")
        await chat.ask(DENTIST)
        await until_paged_out(chat, 1)
        for _ in range(2):
            chat.model.will("Yes.")
            await chat.ask("Hello?")
        step = await look_up(chat, "#1")
        [fault] = await stored(chat)
        [message, *_] = await chat.runtime.history(chat.conversation.id, 200)
        assert (fault.seq, fault.turns_out, fault.tokens) == (1, 3, message.tokens)
        assert (fault.tool, step.faults) == ("conversation_search", 1)
        report = await chat.runtime.paging(chat.conversation.id)
        assert [each.faults.faults for each in report.epochs] == [0, 1]
        assert report.epochs[1].faults.median_turns_out == 3
        assert report.fault_rate == 1 / report.paged_out
        assert [(each.seq, each.times, each.words) for each in report.most_faulted] == [(1, 1, DENTIST)]
        assert (await chat.runtime.paging(chat.conversation.id, soon_turns=2)).fault_rate == 0


@pytest.mark.anyio
async def test_a_message_that_stands_in_the_window_is_no_fault(settings: Settings) -> None:
    async with bench(settings, model=ScriptedReasoner(WINDOW), embedder=HashEmbedder()) as chat:
        chat.model.will("Good to know.")
        await chat.ask(DENTIST)
        step = await look_up(chat, "#1", "dentist")
        assert step.faults == 0
        assert await stored(chat) == []


@pytest.mark.anyio
async def test_a_message_that_faulted_twice_stays_in_view_word_for_word_and_faults_no_more(settings: Settings) -> None:
    memory = {"summary_tokens": 64, "keep_tokens": 100}
    async with bench(settings, model=ScriptedReasoner(WINDOW), embedder=HashEmbedder(), memory=memory) as chat:
        chat.model.will("Good to know.")
        await chat.ask(DENTIST)
        await until_paged_out(chat, 1)
        await look_up(chat, "#1")
        await until_paged_out(chat, 20)
        assert DENTIST not in summary_part(chat.model), "once may be chance"
        await look_up(chat, "#1")
        await until_paged_out(chat, 40)
        assert f"#1 user {now():%Y-%m-%d}: {DENTIST}" in summary_part(chat.model)
        assert (await look_up(chat, "#1")).faults == 0
        assert len(await stored(chat)) == 2
        report = await chat.runtime.paging(chat.conversation.id)
        assert [each.epoch.kept for each in report.epochs if each.epoch][-1] == [1]


@pytest.mark.anyio
async def test_without_keep_tokens_nothing_is_kept_however_often_it_faults(settings: Settings) -> None:
    async with bench(settings, model=ScriptedReasoner(WINDOW), embedder=HashEmbedder(), memory={"summary_tokens": 64}) as chat:
        chat.model.will("Good to know.")
        await chat.ask(DENTIST)
        await until_paged_out(chat, 1)
        for _ in range(3):
            await look_up(chat, "#1")
        await until_paged_out(chat, 20)
        assert DENTIST not in summary_part(chat.model)


@pytest.mark.anyio
async def test_the_step_says_which_blocks_its_reply_drew_on(settings: Settings) -> None:
    seeds = {"persona": "I am a patient gardener.", "human": "Name: Ada. Lives in Porto."}
    async with bench(settings, embedder=HashEmbedder(), seeds=seeds) as chat:
        chat.model.will("You live in Porto.", "It is nice there.")
        await chat.ask("Where do I live?")
        await chat.ask("And how is it?")
        report = await chat.runtime.paging(chat.conversation.id)
        assert report.block_hits == {"persona": 0, "human": 1}
        assert report.hit_rate("human") == 0.5


def test_a_hit_that_came_along_by_chance_is_no_fault() -> None:
    found = [hit(1, 1.9), hit(2, 1.8), hit(3, 1.2), hit(4, 1.9, resident=True)]
    assert [each.seq for each in faults(found)] == [1, 2]
    assert faults([]) == []


def test_what_faulted_most_is_kept_and_of_equal_ones_the_newer_within_the_budget() -> None:
    said = [message(seq, tokens=10) for seq in range(1, 6)]
    assert places(worth_keeping(said, {1: 2, 2: 1, 3: 5, 4: 2}, 1_000)) == [1, 3, 4]
    assert places(worth_keeping(said, {1: 2, 2: 1, 3: 5, 4: 2}, 20)) == [3, 4]
    assert places(worth_keeping(said, {1: 2, 3: 5}, 5)) == []


def test_a_long_message_does_not_keep_shorter_ones_out() -> None:
    said = [message(1, tokens=10), message(2, tokens=500)]
    assert places(worth_keeping(said, {1: 2, 2: 9}, 100)) == [1]


@pytest.mark.parametrize(
    ("offered", "reply", "used"),
    [
        ([], "You live in Porto, Ada.", ["human"]),
        (["I moved to Porto."], "Porto is nice.", []),
        ([], "Water the tomatoes on day 14.", ["garden"]),
        ([], "Yes, it is.", []),
    ],
)
def test_a_block_was_used_where_the_reply_has_a_word_of_it_that_nothing_else_offered(
    offered: list[str], reply: str, used: list[str]
) -> None:
    blocks = [block("human", "Name: Ada. Lives in Porto."), block("garden", "Day 14: tomatoes")]
    assert blocks_used(blocks, offered, Completion(reply)) == used


def test_a_block_counts_as_used_by_the_arguments_of_a_call() -> None:
    reply = Completion("", calls=(CallRequest("1", "weather", '{"place": "Porto"}'),))
    assert blocks_used([block("human", "Lives in Porto.")], [], reply) == ["human"]


def summary_part(model: ScriptedReasoner) -> str:
    """The summary of the newest step's prompt."""
    prompt = [each for each in model.prompts if each.purpose == "step"][-1]
    return next(each.content for each in prompt.messages if each.content.startswith("<summary"))


def hit(seq: int, score: float, *, resident: bool = False) -> MessageHit:
    return MessageHit(uuid4(), seq, "user", "words", now(), score, resident)


def message(seq: int, tokens: int) -> Message:
    own = uuid4()
    return Message(tenant_id=own, conversation_id=own, run_id=own, seq=seq, role=Role.user, content="words", tokens=tokens)


def places(messages: Sequence[Message]) -> list[int | None]:
    return [each.seq for each in messages]


def block(label: str, value: str) -> Block:
    return Block(tenant_id=uuid4(), label=label, value=value, owner="agent")
