"""A reasoner that misbehaves on a real socket: one recorded error or none, and the next message works."""

from __future__ import annotations

import asyncio
import time

import pytest

from pagemind.events import Replied, RetryScheduled, RunEnded
from pagemind.testing import Bench
from pagemind.testing.openai_server import (
    CHAT,
    STREAM_HEAD,
    OpenAIServer,
    Play,
    Request,
    Write,
    answers,
    calls,
    delta,
    in_turn,
    says,
    streams,
)

pytestmark = pytest.mark.anyio


async def silence(request: Request, write: Write) -> None:
    """Say a word and then nothing, on an open connection."""
    await streams(delta(content="Well"), done=False)(request, write)
    await asyncio.sleep(5)


async def flood(request: Request, write: Write) -> None:
    """Fifty megabytes of words."""
    await write(STREAM_HEAD)
    chunk = b'data: {"model": "m", "choices": [{"index": 0, "delta": {"content": "' + b"x" * 50_000 + b'"}}]}\n\n'
    for _ in range(1_000):
        await write(chunk)


async def hang_up(request: Request, write: Write) -> None:
    """Close the connection without a word."""


OVERLOADED = answers(500, {"error": {"message": "out of memory"}})
CUT_OFF = streams(delta(content="Half a rep"), done=False)
LASTING = [
    pytest.param(OVERLOADED, "reasoner_busy", 3, id="500"),
    pytest.param(answers(429, {"error": {"message": "slow down"}}, "Retry-After: 0\r\n"), "reasoner_busy", 3, id="429"),
    pytest.param(silence, "reasoner_timeout", 3, id="silent"),
    pytest.param(CUT_OFF, "reasoner_cut_off", 3, id="cut off"),
    pytest.param(hang_up, "reasoner_cut_off", 3, id="hangs up"),
    pytest.param(streams(b"data: <html>no</html>\n\n"), "reasoner_cut_off", 3, id="no JSON"),
    pytest.param(answers(401, {"error": {"message": "bad key"}}), "reasoner_refused", 1, id="401"),
    pytest.param(flood, "reply_too_long", 1, id="50 MB"),
    pytest.param(streams(delta("stop")), "invalid_calls", 4, id="empty"),
]


@pytest.mark.parametrize(("play", "code", "asked"), LASTING)
async def test_a_lasting_fault_is_one_recorded_error_and_the_next_message_works(
    impatient: Bench, server: OpenAIServer, play: Play, code: str, asked: int
) -> None:
    server.routes[CHAT] = play
    run = await impatient.runtime.accept(impatient.conversation.id, "Hello?")
    *_, last = [event async for event in impatient.runtime.follow(run.id)]
    assert isinstance(last, RunEnded)
    assert last.state == "failed"
    assert last.error is not None
    assert last.error["code"] == code
    assert all(last.error[part] for part in ("cause", "fix"))
    assert (await impatient.runtime.run(run.id)).error == last.error
    assert server.asked(CHAT) == asked
    server.routes[CHAT] = says("Here I am.")
    assert await impatient.ask("And now?") == "Here I am."
    history = await impatient.runtime.history(impatient.conversation.id)
    assert [m.content for m in history if m.role == "user"] == ["Hello?", "And now?"]


@pytest.mark.parametrize("play", [OVERLOADED, silence, CUT_OFF, hang_up], ids=["500", "silent", "cut off", "hangs up"])
async def test_a_passing_fault_is_asked_away_and_leaves_no_trace(impatient: Bench, server: OpenAIServer, play: Play) -> None:
    server.routes[CHAT] = in_turn(play, says("Whole."))
    run = await impatient.runtime.accept(impatient.conversation.id, "Hello?")
    events = [event async for event in impatient.runtime.follow(run.id)]
    assert len([event for event in events if isinstance(event, RetryScheduled)]) == 1
    assert [event.text for event in events if isinstance(event, Replied)] == ["Whole."]
    assert [m.content for m in await impatient.runtime.history(impatient.conversation.id)] == ["Hello?", "Whole."]


async def test_the_pause_that_a_busy_server_asks_for_is_kept(impatient: Bench, server: OpenAIServer) -> None:
    server.routes[CHAT] = in_turn(answers(429, {"error": {"message": "slow down"}}, "Retry-After: 1\r\n"), says("Now."))
    began = time.monotonic()
    assert await impatient.ask("Hello?") == "Now."
    assert time.monotonic() - began >= 1.0


async def test_a_slow_reply_is_waited_for_as_long_as_it_comes(impatient: Bench, server: OpenAIServer) -> None:
    server.routes[CHAT] = says("one two three four five", seconds=0.2)
    assert await impatient.ask("Count.") == "one two three four five"
    assert server.asked(CHAT) == 1


async def test_a_reasoner_that_is_down_is_one_error_and_is_used_again_when_it_is_back(
    impatient: Bench, server: OpenAIServer
) -> None:
    port, server.routes[CHAT] = server.port, says("Back.")
    await server.stop()
    run = await impatient.runtime.accept(impatient.conversation.id, "Hello?")
    *_, last = [event async for event in impatient.runtime.follow(run.id)]
    assert isinstance(last, RunEnded)
    assert last.error is not None
    assert last.error["code"] == "reasoner_unreachable"
    await server.start(port)
    assert await impatient.ask("And now?") == "Back."


async def test_a_call_cut_off_in_the_middle_never_runs(impatient: Bench, server: OpenAIServer) -> None:
    half = {"name": "core_memory_append", "arguments": '{"label": "human", "content": "Ad'}
    begun = delta(tool_calls=[{"index": 0, "id": "1", "type": "function", "function": half}])
    whole = calls("core_memory_append", label="human", content="Ada")
    server.routes[CHAT] = in_turn(streams(begun, done=False), streams(begun, delta("length")), whole, says("Noted."))
    assert await impatient.ask("I am Ada.") == "Noted."
    assert await impatient.block("human") == "Ada"
