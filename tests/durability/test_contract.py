"""The contract's promises on runs that share something: a conversation, a block, a key, a stream, a cancelled end."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from pagemind import faults
from pagemind.engine.follow import follow
from pagemind.engine.runtime import Runtime
from pagemind.errors import IdempotencyConflict
from pagemind.events import RunEnded, ToolReturned
from pagemind.model.discover import find_reasoner
from pagemind.records import Agent, Append, Prompt, Run
from pagemind.settings import Settings
from pagemind.store import blocks
from pagemind.testing import Bench, bench, call
from pagemind.testing.openai_server import CHAT, OpenAIServer, calls, in_turn, says
from pagemind.testing.runtime import make_agent
from pagemind.testing.scripted import Line
from pagemind.testing.vectors import HashEmbedder

from .world import MOST_SECONDS, Bell, StartOther, assert_linear, assert_well_formed, until

pytestmark = pytest.mark.anyio


async def end(chat: Bench, run: Run) -> RunEnded:
    async with asyncio.timeout(MOST_SECONDS):
        *_, last = [event async for event in chat.runtime.follow(run.id)]
    assert isinstance(last, RunEnded)
    return last


async def test_two_processes_keep_one_conversation_linear_and_chat_in_others_besides(
    settings: Settings, start: StartOther
) -> None:
    async with bench(settings, embedder=HashEmbedder(), work=False) as chat:
        shared, *own = [await chat.runtime.new_conversation(chat.agent) for _ in range(3)]
        others = [start(settings, "chat", "6", str(shared.id), str(each.id)) for each in own]
        for other in others:
            await other.ready()
            await other.done()
        history = await chat.runtime.history(shared.id, limit=200)
        accepted = [run.id for run in await chat.runtime.runs(shared.id)][::-1]
        assert assert_linear(history) == accepted
        assert len(accepted) == 12
        assert_well_formed(history)
        for each in own:
            alone = await chat.runtime.history(each.id, limit=200)
            assert len(assert_linear(alone)) == 6
            assert_well_formed(alone)


async def test_a_block_edited_by_two_agents_at_once_holds_every_edit(settings: Settings) -> None:
    def note_then_done(prompt: Prompt) -> Line:
        newest = prompt.messages[-1]
        if newest.role != "user":
            return "Done."
        return call("core_memory_append", label="team", content=newest.content.splitlines()[-1])

    async with bench(settings, embedder=HashEmbedder(), seeds={"team": ""}) as chat:
        second = await make_agent(chat.runtime, "second", {"persona": "I am the second."}, {})
        [team] = await chat.memory.blocks(chat.agent)
        async with chat.runtime.kernel.database.transaction() as session:
            await blocks.attach(session, second.id, team, position=1)
        chat.model.will(*[note_then_done for _ in range(48)])
        talks = [await chat.runtime.new_conversation(agent) for agent in (chat.agent, second) for _ in range(2)]
        await asyncio.gather(*(chat.runtime.ask(talk.id, f"line {n}-{at}") for at, talk in enumerate(talks) for n in range(6)))
        lines = (await chat.block("team")).split("\n")
        assert sorted(lines) == sorted(f"line {n}-{at}" for at in range(4) for n in range(6))
        assert len(await chat.memory.history(chat.agent, "team")) == 25


async def test_an_edit_between_acting_and_storing_is_built_upon(chat: Bench) -> None:
    acted: list[int] = []

    def edit_meanwhile(point: str) -> None:
        if point == "act.done":
            acted.append(1)
            if len(acted) == 1:
                elsewhere = threading.Thread(target=lambda: asyncio.run(edit_as_person(chat.runtime.settings, chat.agent)))
                elsewhere.start()
                elsewhere.join()

    chat.model.will(call("core_memory_append", label="human", content="Likes tea."), "Noted.", "Yes.", "Yes.")
    faults.install(edit_meanwhile)
    try:
        await chat.ask("I like tea.")
    finally:
        faults.install(None)
    assert len(acted) == 2
    assert await chat.block("human") == "Lives in Porto.\nLikes tea."
    await chat.ask("You know both?")
    await chat.ask("Sure?")
    notices = [m for m in await chat.runtime.history(chat.conversation.id) if m.role == "notice"]
    assert len(notices) == 1
    assert "person" in notices[0].content


async def edit_as_person(settings: Settings, agent: Agent) -> None:
    async with await Runtime.open(settings, embedder=HashEmbedder(), work=False) as elsewhere:
        await elsewhere.memory.edit(agent, "human", Append("Lives in Porto."), author="person")


async def test_the_same_key_gives_one_run_however_often_and_however_close(chat: Bench) -> None:
    chat.model.will("Once.")
    talk = chat.conversation.id
    runs = await asyncio.gather(*(chat.runtime.accept(talk, "Ring!", idempotency_key="k") for _ in range(12)))
    assert len({run.id for run in runs}) == 1
    assert (await end(chat, runs[0])).stop_reason == "end_turn"
    late = await chat.runtime.accept(talk, "Ring!", idempotency_key="k")
    assert late.id == runs[0].id
    with pytest.raises(IdempotencyConflict):
        await chat.runtime.accept(talk, "Ring twice!", idempotency_key="k")
    assert [m.content for m in await chat.runtime.history(talk)] == ["Ring!", "Once."]


async def test_following_from_any_event_on_gives_exactly_the_rest_in_another_process_too(
    chat: Bench, start: StartOther
) -> None:
    chat.model.will(call("core_memory_append", label="human", content="Tea."), "Noted.")
    run = await chat.runtime.accept(chat.conversation.id, "I like tea.")
    await end(chat, run)
    every = [(seq, event.type) async for seq, event in follow(chat.runtime.kernel, run.id)]
    assert [seq for seq, _ in every] == list(range(1, len(every) + 1))
    for after in range(len(every)):
        rest = [(seq, event.type) async for seq, event in follow(chat.runtime.kernel, run.id, after)]
        assert rest == every[after:]
    elsewhere = start(chat.runtime.settings, "listen", str(run.id), "2")
    await elsewhere.ready()
    assert await elsewhere.done() == [f"{seq} {kind}" for seq, kind in every[2:]]


async def test_a_run_cancelled_in_mid_stream_leaves_a_conversation_that_goes_on(chat: Bench, server: OpenAIServer) -> None:
    server.routes[CHAT] = in_turn(says("word " * 200, seconds=0.05), says("Yes?"))
    await use(chat, server)
    run = await chat.runtime.accept(chat.conversation.id, "Tell me everything.")
    await until(lambda: server.sent_bytes > 2_000)
    queued = await chat.runtime.accept(chat.conversation.id, "And this.")
    await chat.runtime.cancel(queued.id)
    await chat.runtime.cancel(run.id)
    assert (await end(chat, run)).state == (await end(chat, queued)).state == "cancelled"
    assert await chat.ask("Hello?") == "Yes?"
    assert server.asked(CHAT) == 2
    history = await chat.runtime.history(chat.conversation.id)
    assert [m.content for m in history] == ["Tell me everything.", "And this.", "Hello?", "Yes?"]
    assert_well_formed(history)


async def test_a_run_cancelled_from_another_process_in_a_tool_leaves_every_call_with_its_return(
    own_settings: Settings, server: OpenAIServer, tmp_path: Path
) -> None:
    bell = Bell(own_settings.home, tmp_path)
    async with bench(own_settings, embedder=HashEmbedder()) as chat:
        chat.model.will([call("ring"), call("ring")], "Back.")
        run = await chat.runtime.accept(chat.conversation.id, "Ring twice.")
        await until(lambda: bell.rung == ["ring"])
        async with await Runtime.open(own_settings, embedder=HashEmbedder(), work=False) as elsewhere:
            await elsewhere.cancel(run.id)
        assert (await end(chat, run)).state == "cancelled"
        history = await chat.runtime.history(chat.conversation.id)
        assert [m.role for m in history] == ["user", "assistant", "tool", "tool"]
        assert_well_formed(history)
        assert "outcome is unknown" in history[2].content
        assert "Not run" in history[3].content
        assert await chat.ask("Are you there?") == "Back."
        assert bell.rung == ["ring"]
    bell.remove()


async def test_after_a_kill_a_tool_that_may_run_once_is_not_repeated_and_an_idempotent_one_is_with_its_key(
    own_settings: Settings, server: OpenAIServer, start: StartOther, tmp_path: Path
) -> None:
    bell = Bell(own_settings.home, tmp_path)
    asked = own_settings.model_copy(update={"reasoner_url": server.url})
    async with bench(asked, embedder=HashEmbedder(), work=False) as chat:
        for tool, rung in (("ring", 1), ("post", 2)):
            server.routes[CHAT] = in_turn(calls(tool), says("Done."))
            bell.hold()
            bell.log.write_text("")
            first = start(asked, "serve")
            run = await chat.runtime.accept(chat.conversation.id, f"Please {tool}.")
            await until(lambda: bell.rung)
            first.kill()
            bell.let_go()
            second = start(asked, "serve")
            async with asyncio.timeout(MOST_SECONDS):
                events = [event async for event in chat.runtime.follow(run.id)]
            second.kill()
            [returned] = [event for event in events if isinstance(event, ToolReturned)]
            assert ("Outcome unknown" in returned.result) is (rung == 1)
            assert len(bell.rung) == rung
            assert len(set(bell.rung)) == 1
        assert bell.rung == [f"post {run.id}/0/0"] * 2
        assert_well_formed(await chat.runtime.history(chat.conversation.id))
    bell.remove()


async def use(chat: Bench, server: OpenAIServer) -> None:
    """Have the runtime think with a model behind ``server``."""
    from_now_on = chat.runtime.settings.model_copy(update={"reasoner_url": server.url})
    await chat.runtime.use_reasoner(await find_reasoner(from_now_on))
