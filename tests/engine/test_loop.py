"""The loop: while the reply calls tools, act and go on; a plain reply ends the run."""

from __future__ import annotations

import pytest

from pagemind.engine.policy import Limits
from pagemind.errors import ReasonerBusy, ReasonerRefused, RunFailed
from pagemind.events import CallsMalformed, RetryScheduled, RunEnded
from pagemind.model.demo import DemoReasoner
from pagemind.records import CallRequest, Completion
from pagemind.settings import Settings
from pagemind.testing import Bench, bench, call
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio


async def test_a_plain_reply_ends_the_run(chat: Bench) -> None:
    chat.model.will("Hello, Ada.")
    assert await chat.ask("Hello!") == "Hello, Ada."
    history = await chat.runtime.history(chat.conversation.id)
    assert [(m.seq, m.role, m.content) for m in history] == [(1, "user", "Hello!"), (2, "assistant", "Hello, Ada.")]


async def test_a_memory_tool_edits_the_block_and_the_model_sees_its_return(chat: Bench) -> None:
    chat.model.will(call("core_memory_append", label="human", content="Her name is Ada."), "Noted.")
    assert await chat.ask("My name is Ada.") == "Noted."
    assert await chat.block("human") == "Her name is Ada."
    assert chat.model.prompts[1].messages[-1].role == "tool"
    [newest, seed] = await chat.memory.history(chat.agent, "human")
    assert (newest.author, newest.revision, seed.revision) == ("agent:test", 2, 1)


async def test_parallel_calls_run_in_order(chat: Bench) -> None:
    lines = [call("core_memory_append", label="human", content=f"line {n}") for n in range(3)]
    chat.model.will(lines, "Done.")
    await chat.ask("Remember three lines.")
    assert await chat.block("human") == "line 0\nline 1\nline 2"


@pytest.mark.parametrize(
    "bad",
    [
        Completion("", calls=(CallRequest("1", "core_memory_append", '{"label": "human"'),), finish_reason="tool_calls"),
        Completion("", calls=(CallRequest("1", "core_memory_apend", "{}"),), finish_reason="tool_calls"),
        Completion("", calls=(CallRequest("1", "", "{}"),), finish_reason="tool_calls"),
        Completion("", calls=(CallRequest("1", "archival_memory_search", '{"query": 7, "top_k": []}'),)),
        Completion("", calls=(call("core_memory_append", label="human", content="x"),), finish_reason="length"),
        Completion("", calls=tuple(call("core_memory_append", call_id="1", label="human", content="x") for _ in range(2))),
        Completion("  "),
    ],
    ids=["bad JSON", "unknown tool", "no name", "wrong type", "cut off", "duplicate ids", "empty"],
)
async def test_a_malformed_reply_never_runs_and_is_asked_again(chat: Bench, bad: Completion) -> None:
    chat.model.will(bad, "Sorry, here it is.")
    assert await chat.ask("Do something.") == "Sorry, here it is."
    assert await chat.block("human") == ""
    assert "not usable" in chat.model.prompts[1].messages[-1].content


async def test_the_fourth_malformed_reply_in_a_row_ends_the_run(chat: Bench) -> None:
    chat.model.will(*[Completion("") for _ in range(4)], "Back again.")
    run = await chat.runtime.accept(chat.conversation.id, "Do something.")
    events = [event async for event in chat.runtime.follow(run.id)]
    assert [event.attempt for event in events if isinstance(event, CallsMalformed)] == [1, 2, 3, 4]
    assert isinstance(events[-1], RunEnded)
    assert (events[-1].state, events[-1].stop_reason) == ("failed", "invalid_calls")
    assert await chat.ask("And now?") == "Back again."


async def test_a_run_ends_at_its_limit_of_steps(chat: Bench) -> None:
    chat.model.will(*[call("conversation_search", query="x") for _ in range(60)])
    run = await chat.runtime.accept(chat.conversation.id, "Loop.")
    *_, last = [event async for event in chat.runtime.follow(run.id)]
    assert isinstance(last, RunEnded)
    assert (last.state, last.stop_reason, last.steps) == ("completed", "max_steps", 50)


async def test_a_passing_failure_of_the_reasoner_is_waited_out(chat: Bench) -> None:
    chat.model.will(ReasonerBusy(url="here", status=503), "Here I am.")
    run = await chat.runtime.accept(chat.conversation.id, "Hello?")
    events = [event async for event in chat.runtime.follow(run.id)]
    assert [event.attempt for event in events if isinstance(event, RetryScheduled)] == [1]
    assert isinstance(events[-1], RunEnded)
    assert events[-1].stop_reason == "end_turn"


async def test_a_lasting_failure_fails_the_run_and_loses_nothing(chat: Bench) -> None:
    chat.model.will(ReasonerRefused(url="here", status=401), "Better now.")
    with pytest.raises(RunFailed):
        await chat.ask("Hello?")
    assert await chat.ask("Again?") == "Better now."
    assert [m.content for m in await chat.runtime.history(chat.conversation.id)] == ["Hello?", "Again?", "Better now."]


async def test_a_reply_with_nul_and_half_a_character_is_kept_without_them(chat: Bench) -> None:
    noted = CallRequest("1\x00", "core_memory_append", '{"label": "human", "content": "Ada\\u0000 \\ud800"}')
    chat.model.will(Completion("\x00\ud83d", calls=(noted,), finish_reason="tool_calls"), "Noted,\x00 Ada.")
    assert await chat.ask("My name is Ada.") == "Noted, Ada."
    assert await chat.block("human") == "Ada \ufffd"


async def test_a_run_ends_at_its_limit_of_seconds_in_the_middle_of_a_slow_reply(settings: Settings) -> None:
    slow = DemoReasoner(word_seconds=5.0)
    async with bench(settings, reasoner=slow, embedder=HashEmbedder()) as chat:
        limits = Limits(max_steps=5, max_seconds=0.5, max_tokens=10_000)
        run = await chat.runtime.accept(chat.conversation.id, "What can you do?", limits=limits)
        *_, last = [event async for event in chat.runtime.follow(run.id)]
    assert isinstance(last, RunEnded)
    assert (last.state, last.stop_reason) == ("completed", "max_seconds")


async def test_a_run_ends_at_its_limit_of_tokens(chat: Bench) -> None:
    chat.model.will(*[call("conversation_search", query="x") for _ in range(9)])
    limits = Limits(max_steps=50, max_seconds=60, max_tokens=1_500)
    run = await chat.runtime.accept(chat.conversation.id, "Loop.", limits=limits)
    *_, last = [event async for event in chat.runtime.follow(run.id)]
    assert isinstance(last, RunEnded)
    assert (last.stop_reason, last.steps) == ("max_tokens", 2)
