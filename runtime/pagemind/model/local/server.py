"""The supervisor: keeps a local server running, until it is told to stop or the server dies too often."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from pagemind.errors import LocalModelDied, LocalModelNotReady, LocalModelPort
from pagemind.model.check import MUST_CALL, CheckResult, asked, check_call
from pagemind.model.connect import open_server
from pagemind.model.local.command import HOST, Launch, command_line, environment_of
from pagemind.model.local.life import Life, is_healthy, last_lines
from pagemind.model.local.state import ServerState, Tell, drop_state, write_state
from pagemind.settings import Settings, environment


def local_log(home: Path) -> Path:
    """Where the server's own words go."""
    return home / "logs" / "vllm.log"


@dataclass(frozen=True)
class Patience:
    """How long the supervisor waits for what."""

    ready_seconds: float = 1800.0
    """Until a tool call works: weights may have to be downloaded, graphs compiled."""
    poll_seconds: float = 0.5
    port_seconds: float = 20.0
    """Until the port is free, which a server that was killed holds for a moment."""
    grace_seconds: float = 15.0
    """Between the request to stop and the kill."""
    first_pause_seconds: float = 1.0
    """Before the first restart; it doubles with each further one."""
    longest_pause_seconds: float = 60.0
    deaths: int = 5
    """How many deaths in a row end it."""
    steady_seconds: float = 60.0
    """A server that was ready for so long has not died in a row."""
    call_attempts: int = 5


class LocalServer:
    """One server for one home folder, whose lock is held. ``start`` returns when a tool call works; ``stop`` ends it."""

    def __init__(
        self,
        settings: Settings,
        launch: Launch,
        *,
        lock: int,
        key: SecretStr | None,
        tell: Tell,
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings
        self._launch = launch
        self._lock = lock
        self._key = key
        self.tell = tell
        """Hears, in a few words, how far the server is."""
        self._patience = patience or Patience()
        self._log = local_log(settings.home)
        self._watch: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._ready_at: float | None = None
        self.state = ServerState(
            pid=os.getpid(),
            started=time.time(),
            url=f"http://{HOST}:{launch.port}/v1",
            model=launch.model,
            served_name=launch.served_name,
        )
        self.server_pid: int | None = None
        """The process of the server's present life."""

    async def start(self) -> None:
        """Start it, and return when a tool call works. Raises LocalModelPort, LocalModelDied, LocalModelNotReady."""
        self._say(ready=False)
        self._watch = asyncio.create_task(self._keep_running())
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({self._watch, ready}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if not self._ready.is_set():
            await self._watch

    async def watch(self) -> None:
        """Return never, but for an error: LocalModelDied, LocalModelNotReady, when no restart helped."""
        assert self._watch is not None
        await asyncio.shield(self._watch)

    async def stop(self) -> None:
        """Stop the server, wait until it is gone, let the lock go."""
        try:
            if self._watch is not None:
                self._watch.cancel()
                with suppress(asyncio.CancelledError, LocalModelDied, LocalModelNotReady, LocalModelPort):
                    await self._watch
        finally:
            drop_state(self._settings.home)
            os.close(self._lock)

    async def _keep_running(self) -> None:
        deaths = 0
        while True:
            await self._port_free()
            status = await self._live()
            self._say(ready=False)
            deaths = 1 if self._was_steady() else deaths + 1
            if deaths >= self._patience.deaths:
                raise LocalModelDied(last_lines(self._log), count=deaths, log=self._log)
            pause = min(self._patience.longest_pause_seconds, self._patience.first_pause_seconds * 2 ** (deaths - 1))
            self.tell(f"it ended with {ending(status)}; starting it again in {pause:g} s")
            await asyncio.sleep(pause)

    def _was_steady(self) -> bool:
        return self._ready_at is not None and time.monotonic() - self._ready_at > self._patience.steady_seconds

    async def _live(self) -> int:
        """One life, from start to end; its exit status. Cancelled, it stops the server first."""
        self._ready_at = None
        command = command_line(self._launch)
        environ = environment_of(self._launch, self._key, environment())
        grace = self._patience.grace_seconds
        life = await Life.begin(command, environ, self._log, lock=self._lock, grace_seconds=grace)
        self.server_pid = life.pid
        try:
            if await self._until_healthy(life):
                await self._until_it_calls(life)
            return await life.ended()
        finally:
            self.server_pid = None
            await asyncio.shield(life.stop())

    async def _until_healthy(self, life: Life) -> bool:
        """Tell the phases until it answers; False where it ended before. Raises LocalModelNotReady."""
        until = time.monotonic() + self._patience.ready_seconds
        while life.running:
            self._tell_phases(life)
            if await asyncio.to_thread(is_healthy, self._launch.port):
                return True
            if time.monotonic() > until:
                raise self._not_ready("it did not answer")
            await asyncio.sleep(self._patience.poll_seconds)
        # It may have got further, and died, since the last look.
        self._tell_phases(life)
        return False

    def _tell_phases(self, life: Life) -> None:
        for phase in life.log.phases():
            self.tell(phase)

    async def _until_it_calls(self, life: Life) -> None:
        """Have it call a tool, as an agent would. Raises LocalModelNotReady."""
        self.tell("trying a tool call")
        result = CheckResult("calls tools", ok=False, detail="")
        for attempt in range(self._patience.call_attempts):
            result = await self._try_call()
            if result.ok or not life.running:
                break
            await asyncio.sleep(self._patience.poll_seconds * attempt)
        if result.ok:
            self._ready_at = time.monotonic()
            self._say(ready=True)
            self._ready.set()
            self.tell("ready: it calls tools")
        elif life.running:
            raise self._not_ready(result.detail)

    async def _try_call(self) -> CheckResult:
        key = self._key.get_secret_value() if self._key else ""
        reasoner = open_server(self._settings, self.state.url, model=self._launch.served_name, api_key=key)
        try:
            return check_call(await asked(reasoner, MUST_CALL))
        finally:
            await reasoner.close()

    async def _port_free(self) -> None:
        until = time.monotonic() + self._patience.port_seconds
        while not port_is_free(self._launch.port):
            if time.monotonic() > until:
                raise LocalModelPort(port=self._launch.port)
            await asyncio.sleep(self._patience.poll_seconds)

    def _say(self, *, ready: bool) -> None:
        self.state = replace(self.state, ready=ready)
        write_state(self._settings.home, self.state)

    def _not_ready(self, why: str) -> LocalModelNotReady:
        evidence = f"{why}; {last_lines(self._log)}"
        return LocalModelNotReady(evidence, seconds=f"{self._patience.ready_seconds:g}", log=self._log)


def port_is_free(port: int) -> bool:
    """Whether a server could listen at this port of the loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def ending(status: int) -> str:
    """An exit status in words."""
    return f"signal {status - 128}" if status > 128 else f"status {status}"
