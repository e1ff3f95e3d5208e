"""One session for each MCP server: opened when it is first needed, used by all calls, closed when it was idle for long."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING, Protocol, TypeVar, cast
from uuid import UUID

from pagemind.errors import McpError, McpMissing, McpStdioOff, McpTimeout, McpUnreachable
from pagemind.records import Json
from pagemind.toolbox.mcp_server import McpAddress, McpResult, McpTool

if TYPE_CHECKING:
    from pagemind.toolbox.mcp_client import Wire


class McpWire(Protocol):
    """The module ``mcp_client``, which is loaded when it is needed: its package takes a second, and may be missing."""

    TERMINATED: str

    def opened(self, address: McpAddress) -> AbstractAsyncContextManager[Wire]:
        """A session with the server until the block ends."""
        ...

    def is_timeout(self, error: BaseException) -> bool:
        """Whether the error says that the time was up."""
        ...

    def answer_in(self, error: BaseException) -> str | None:
        """What the server answered, where the error is an answer of its."""
        ...


Result = TypeVar("Result")

CONNECT_SECONDS = 8.0
START_SECONDS = 40.0
"""For a server that is a command: the first time it may have to fetch itself."""
LIST_SECONDS = 12.0
IDLE_SECONDS = 300.0
CLOSE_SECONDS = 10.0


class McpSession:
    """A task that holds a session open: what the package opens in a task it must close in the same."""

    def __init__(self, address: McpAddress, *, idle_seconds: float) -> None:
        self.address = address
        self._idle_seconds = idle_seconds
        self._wire: asyncio.Future[Wire] = asyncio.get_running_loop().create_future()
        self._closing = asyncio.Event()
        self._users = 0
        self._used_at = time.monotonic()
        self._task = asyncio.create_task(self._hold(), name=f"mcp {address.name}")

    @property
    def usable(self) -> bool:
        """Whether a call may still begin on it."""
        return not self._closing.is_set() and not self._task.done()

    async def do(self, work: Callable[[Wire], Awaitable[Result]], seconds: float) -> Result:
        """Do something with the session. Raises McpError."""
        self._users += 1
        try:
            patience = START_SECONDS if self.address.kind == "stdio" else CONNECT_SECONDS
            wire = await self._or_end(self._wire, min(seconds, patience))
            return await self._or_end(asyncio.ensure_future(work(wire)), seconds)
        finally:
            self._users -= 1
            self._used_at = time.monotonic()

    async def close(self) -> None:
        """End the session, and the server's process where it was started for it."""
        self._closing.set()
        await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
        self._task.cancel()
        await asyncio.wait({self._task})
        self._outcome()

    async def _or_end(self, future: asyncio.Future[Result], seconds: float) -> Result:
        """The future's result, unless the session or the time ends before."""
        own = future is not self._wire
        try:
            await asyncio.wait({future, self._task}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if future.done():
                if (error := future.exception()) is not None:
                    raise self._told(error, seconds)
                return future.result()
            if self._task.done():
                raise self._told(self._outcome(), seconds)
            if not own:
                self._closing.set()
            raise McpTimeout(name=self.address.name, seconds=f"{seconds:g}")
        finally:
            if own and not future.done():
                future.cancel()
                await asyncio.wait({future}, timeout=CLOSE_SECONDS)

    def _told(self, error: BaseException | None, seconds: float) -> McpError:
        """The error in our words. One that is no answer of the server's ends the session."""
        wire = mcp_wire()
        if error is not None and wire.is_timeout(error):
            return McpTimeout(name=self.address.name, seconds=f"{seconds:g}")
        answer = wire.answer_in(error) if error is not None and self._wire.done() else None
        if answer is not None:
            return McpError(self.address.without_secrets(answer), name=self.address.name)
        self._closing.set()
        words = "the connection ended" if error is None else innermost(error)
        return McpUnreachable(self.address.without_secrets(words), name=self.address.name)

    def _outcome(self) -> BaseException | None:
        """What ended the task; None where it ended well, or was told to."""
        return None if self._task.cancelled() or not self._task.done() else self._task.exception()

    async def _hold(self) -> None:
        async with mcp_wire().opened(self.address) as wire:
            if not self._wire.done():
                self._wire.set_result(wire)
            while not self._closing.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._idle_seconds):
                        await self._closing.wait()
                if not self._users and time.monotonic() - self._used_at >= self._idle_seconds:
                    self._closing.set()


class McpSessions:
    """The sessions of one tenant, by the server's id."""

    def __init__(self, *, allow_stdio: bool, idle_seconds: float = IDLE_SECONDS) -> None:
        self._allow_stdio = allow_stdio
        self._idle_seconds = idle_seconds
        self._sessions: dict[UUID, McpSession] = {}

    async def tools(self, server_id: UUID, address: McpAddress) -> list[McpTool]:
        """What the server offers, asked anew. Raises McpError."""
        return await self._do(
            server_id, address, lambda wire: wire.tools(), LIST_SECONDS if address.kind != "stdio" else START_SECONDS
        )

    async def call(self, server_id: UUID, address: McpAddress, name: str, arguments: Json, seconds: float) -> McpResult:
        """Call a tool of the server within that time. Raises McpError."""
        return await self._do(server_id, address, lambda wire: wire.call(name, arguments, seconds), seconds)

    async def forget(self, server_id: UUID) -> None:
        """End the server's session."""
        session = self._sessions.pop(server_id, None)
        if session is not None:
            await session.close()

    async def close(self) -> None:
        """End all sessions."""
        await asyncio.gather(*(self.forget(server_id) for server_id in list(self._sessions)))

    async def _do(
        self, server_id: UUID, address: McpAddress, work: Callable[[Wire], Awaitable[Result]], seconds: float
    ) -> Result:
        if address.kind == "stdio" and not self._allow_stdio:
            raise McpStdioOff(name=address.name)
        await load_wire(address.name)
        try:
            return await (await self._session(server_id, address)).do(work, seconds)
        except McpUnreachable as error:
            if mcp_wire().TERMINATED not in error.evidence:
                raise
        return await (await self._session(server_id, address)).do(work, seconds)

    async def _session(self, server_id: UUID, address: McpAddress) -> McpSession:
        """The server's session: the one that is open under this address, else a new one."""
        while (found := self._sessions.get(server_id)) is not None:
            if found.usable and found.address == address:
                return found
            await self.forget(server_id)
        self._sessions[server_id] = McpSession(address, idle_seconds=self._idle_seconds)
        return self._sessions[server_id]


def mcp_wire() -> McpWire:
    """What speaks MCP, loaded before."""
    return cast("McpWire", importlib.import_module("pagemind.toolbox.mcp_client"))


async def load_wire(name: str) -> None:
    """Load the package, which takes a second, beside the event loop; McpMissing where it is not installed."""
    try:
        await asyncio.to_thread(mcp_wire)
    except ModuleNotFoundError as error:
        raise McpMissing(name=name) from error


def innermost(error: BaseException) -> str:
    """The first error inside of groups, in words."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return f"{type(error).__name__}: {error}"
