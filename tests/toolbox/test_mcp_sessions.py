"""Sessions with MCP servers: shared by calls, closed when idle, ended by what is no answer; real servers that are commands."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pagemind.errors import McpStdioOff, McpTimeout, McpUnreachable
from pagemind.records import Json
from pagemind.toolbox.mcp_server import McpAddress, McpResult
from pagemind.toolbox.mcp_sessions import McpSessions

pytest.importorskip("mcp", reason="the package mcp is not installed: pip install 'pagemind[mcp]'")
pytestmark = pytest.mark.anyio

PROGRAM = str(Path(__file__).parents[1] / "api" / "mcp_programs.py")
SERVER = McpAddress("playground", "stdio", command=sys.executable, args=(PROGRAM, "stdio"))


class Caller:
    """Calls tools of one server."""

    def __init__(self, sessions: McpSessions) -> None:
        self.sessions = sessions
        self.server_id: UUID = uuid4()

    async def __call__(self, name: str, /, *, seconds: float = 40, **arguments: object) -> McpResult:
        given: Json = dict(arguments)
        return await self.sessions.call(self.server_id, SERVER, name, given, seconds)


@pytest.fixture
async def call() -> AsyncGenerator[Caller]:
    sessions = McpSessions(allow_stdio=True, idle_seconds=60)
    yield Caller(sessions)
    await sessions.close()


async def test_calls_at_the_same_time_share_a_session(call: Caller) -> None:
    results = await asyncio.gather(*(call("process") for _ in range(5)))
    assert len({result.text for result in results}) == 1


async def test_a_slow_call_does_not_hold_up_another(call: Caller) -> None:
    await call("process")
    slow = asyncio.create_task(call.sessions.call(call.server_id, SERVER, "slow", {"seconds": 30}, 60))
    began = time.monotonic()
    assert (await call("add", a=1)).text == "3"
    assert time.monotonic() - began < 15
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow


async def test_past_its_time_a_call_ends_and_the_session_goes_on(call: Caller) -> None:
    before = (await call("process")).text
    with pytest.raises(McpTimeout):
        await call.sessions.call(call.server_id, SERVER, "slow", {"seconds": 30}, 0.5)
    assert (await call("process")).text == before


async def test_a_failure_of_the_tool_is_a_result(call: Caller) -> None:
    result = await call("fail")
    assert not result.ok
    assert "fail" in result.text


async def test_a_tool_that_there_is_not_is_told_by_the_server(call: Caller) -> None:
    before = (await call("process")).text
    result = await call("nothing")
    assert not result.ok
    assert "nothing" in result.text
    assert (await call("process")).text == before


async def test_the_tools_are_listed_with_their_schemas(call: Caller) -> None:
    listed = {tool.name: tool for tool in await call.sessions.tools(call.server_id, SERVER)}
    assert listed["add"].description == "Add two numbers."
    assert listed["add"].parameters["required"] == ["a"]


async def test_an_idle_session_ends_and_the_next_call_opens_another() -> None:
    sessions = McpSessions(allow_stdio=True, idle_seconds=0.5)
    call = Caller(sessions)
    first = (await call("process")).text
    assert await within_seconds(lambda: not Path(f"/proc/{first}").exists())
    assert (await call("process")).text != first
    await sessions.close()


async def test_closing_ends_the_processes(call: Caller) -> None:
    process = (await call("process")).text
    await call.sessions.close()
    assert await within_seconds(lambda: not Path(f"/proc/{process}").exists())


async def test_a_process_that_dies_is_told_and_started_again(call: Caller) -> None:
    process = int((await call("process")).text)
    slow = asyncio.create_task(call.sessions.call(call.server_id, SERVER, "slow", {"seconds": 30}, 60))
    await asyncio.sleep(0.3)
    os.kill(process, signal.SIGKILL)
    with pytest.raises(McpUnreachable):
        await slow
    assert (await call("add", a=1)).text == "3"


async def test_commands_are_not_started_unless_allowed() -> None:
    sessions = McpSessions(allow_stdio=False)
    with pytest.raises(McpStdioOff):
        await sessions.tools(uuid4(), SERVER)


async def test_what_is_no_server_cannot_be_reached() -> None:
    sessions = McpSessions(allow_stdio=True)
    for address in (
        McpAddress("false", "stdio", command="false"),
        McpAddress("nowhere", "stdio", command="/nowhere/at/all"),
        McpAddress("closed", "streamable_http", url="http://127.0.0.1:9/mcp"),
        McpAddress("closed", "sse", url="http://127.0.0.1:9/sse"),
    ):
        with pytest.raises(McpUnreachable):
            await sessions.tools(uuid4(), address)
    await sessions.close()


def test_secrets_stand_in_no_words() -> None:
    address = McpAddress.of(
        "x",
        "sse",
        {"server_url": "http://bob:pass@host/x?key=hidden", "auth_token": "sesame", "custom_headers": {"X": "other one"}},
    )
    assert address.headers == {"X": "other one", "Authorization": "Bearer sesame"}
    words = address.without_secrets("401 for http://bob:pass@host/x?key=hidden with Bearer sesame, sesame and other one")
    assert words == "401 for http://***@host/x?*** with ***, *** and ***"
    assert "sesame" not in repr(address)


async def within_seconds(condition: Callable[[], bool]) -> bool:
    for _ in range(200):
        if condition():
            return True
        await asyncio.sleep(0.05)
    return False
