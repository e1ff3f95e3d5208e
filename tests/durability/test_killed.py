"""`kill -9` of the runtime, of the database, of both: runs go on by themselves, and nothing is missing or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from pagemind.engine.follow import follow
from pagemind.errors import StoreUnavailable
from pagemind.events import Event, RunEnded, RunStarted
from pagemind.model.discover import find_reasoner
from pagemind.records import Run
from pagemind.settings import Settings
from pagemind.testing import Bench, bench
from pagemind.testing.openai_server import CHAT, OpenAIServer, calls, in_turn, says
from pagemind.testing.vectors import HashEmbedder

from .world import MOST_SECONDS, StartOther, assert_well_formed, kept_time, kill_database, until

pytestmark = pytest.mark.anyio

ROLES = ["user", "assistant", "tool", "assistant"]


def notes_then_is_slow(server: OpenAIServer) -> None:
    """One note into memory, then a reply that takes for ever; whoever asks once more gets it at once."""
    note = calls("core_memory_append", label="human", content="Her name is Ada.")
    server.routes[CHAT] = in_turn(note, says("Noted, " + "dear " * 50 + "Ada.", seconds=0.2), says("Noted, Ada."))


@pytest.fixture
async def waiting(settings: Settings, server: OpenAIServer) -> AsyncGenerator[Bench]:
    """A runtime on the session's server that only accepts and looks: another process has to do the work."""
    asked = settings.model_copy(update={"reasoner_url": server.url, "lease_seconds": 15.0})
    async with bench(asked, embedder=HashEmbedder(), work=False) as opened:
        yield opened


async def ended(chat: Bench, run: Run) -> RunEnded:
    """The run's end; a database that goes away meanwhile is met by following again from where one was."""
    async with asyncio.timeout(MOST_SECONDS):
        *_, (_, last) = [each async for each in followed(chat, run)]
    assert isinstance(last, RunEnded)
    return last


async def followed(chat: Bench, run: Run) -> AsyncGenerator[tuple[int, Event]]:
    seen = 0
    while True:
        try:
            async for seq, event in follow(chat.runtime.kernel, run.id, seen):
                if seq is not None:
                    assert seq == seen + 1
                    seen = seq
                    yield seq, event
        except StoreUnavailable:
            await asyncio.sleep(0.05)
            continue
        return


async def assert_noted_once(chat: Bench) -> None:
    history = await chat.runtime.history(chat.conversation.id)
    assert [message.role for message in history] == ROLES
    assert history[-1].content == "Noted, Ada."
    assert_well_formed(history)
    assert await chat.block("human") == "Her name is Ada."
    assert len(await chat.memory.history(chat.agent, "human")) == 2


async def test_the_next_process_takes_up_the_run_of_a_killed_one_at_once(
    waiting: Bench, server: OpenAIServer, start: StartOther
) -> None:
    notes_then_is_slow(server)
    first = start(waiting.runtime.settings, "serve")
    await first.ready()
    run = await waiting.runtime.accept(waiting.conversation.id, "I am Ada.")
    await until(lambda: server.asked(CHAT) == 2)
    first.kill()
    second = start(waiting.runtime.settings, "serve")
    await second.ready()
    with kept_time(2.0):
        assert (await ended(waiting, run)).stop_reason == "end_turn"
    await assert_noted_once(waiting)


async def test_a_stopped_process_that_wakes_after_another_took_its_run_over_changes_nothing(
    waiting: Bench, server: OpenAIServer, start: StartOther
) -> None:
    note = calls("core_memory_append", label="human", content="Her name is Ada.")
    server.routes[CHAT] = in_turn(note, says("I was asleep meanwhile.", seconds=0.5), says("Noted, Ada."))
    short = waiting.runtime.settings.model_copy(update={"lease_seconds": 0.6})
    sleeper = start(short, "serve")
    await sleeper.ready()
    run = await waiting.runtime.accept(waiting.conversation.id, "I am Ada.")
    await until(lambda: server.asked(CHAT) == 2)
    sleeper.stop()
    other = start(short, "serve")
    assert (await ended(waiting, run)).stop_reason == "end_turn"
    other.kill()
    sleeper.go_on()
    await until(lambda: "lease is lost" in sleeper.log.read_text() or "left to whoever" in sleeper.log.read_text())
    await assert_noted_once(waiting)
    server.routes[CHAT] = says("Still here.")
    after = await waiting.runtime.accept(waiting.conversation.id, "Are you there?")
    assert (await ended(waiting, after)).stop_reason == "end_turn"


@pytest.mark.parametrize("workers", [4, 1], ids=["hands free", "hands full"])
async def test_a_killed_database_comes_back_and_the_run_goes_on_by_itself(
    own_settings: Settings, server: OpenAIServer, workers: int
) -> None:
    note = calls("core_memory_append", label="human", content="Her name is Ada.")
    server.routes[CHAT] = in_turn(note, says("Noted, Ada.", seconds=0.2))
    asked = own_settings.model_copy(update={"reasoner_url": server.url, "workers": workers})
    async with bench(asked, reasoner=await find_reasoner(asked), embedder=HashEmbedder()) as chat:
        run = await chat.runtime.accept(chat.conversation.id, "I am Ada.")
        await until(lambda: server.asked(CHAT) == 2)
        kill_database(chat.runtime)
        async with asyncio.timeout(MOST_SECONDS):
            events = [event async for _, event in followed(chat, run)]
        assert isinstance(events[-1], RunEnded)
        assert events[-1].stop_reason == "end_turn"
        assert [event.epoch for event in events if isinstance(event, RunStarted)] == [1, 1]
        await assert_noted_once(chat)


async def test_a_database_killed_while_nothing_goes_on_is_back_for_the_next_message(own_settings: Settings) -> None:
    async with bench(own_settings, embedder=HashEmbedder()) as chat:
        chat.model.will("Hello.", "Hello again.")
        await chat.ask("Hello!")
        kill_database(chat.runtime)
        with kept_time(10.0):
            while True:
                try:
                    run = await chat.runtime.accept(chat.conversation.id, "Hello again!")
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.05)
        assert (await ended(chat, run)).stop_reason == "end_turn"
        assert [m.content for m in await chat.runtime.history(chat.conversation.id)] == [
            "Hello!",
            "Hello.",
            "Hello again!",
            "Hello again.",
        ]


async def test_the_next_start_recovers_when_runtime_and_database_were_killed_together(
    own_settings: Settings, server: OpenAIServer, start: StartOther
) -> None:
    notes_then_is_slow(server)
    asked = own_settings.model_copy(update={"reasoner_url": server.url})
    async with bench(asked, embedder=HashEmbedder(), work=False) as before:
        other = start(asked, "serve")
        await other.ready()
        run = await before.runtime.accept(before.conversation.id, "I am Ada.")
        await until(lambda: server.asked(CHAT) == 2)
        other.kill()
        kill_database(before.runtime)
    async with bench(asked, embedder=HashEmbedder()) as after:
        after.model.will("Noted, Ada.")
        assert (await ended(after, run)).stop_reason == "end_turn"
        await assert_noted_once(after)
