"""The way in: this process launches the home folder's server, or shares the one that another process runs."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from pagemind.errors import LocalModelNotReady, LocalModelOther
from pagemind.model.local.plan import Plan, plan_launch
from pagemind.model.local.server import LocalServer, Patience, local_log
from pagemind.model.local.state import ServerState, Tell, running_server, server_key, take_lock
from pagemind.settings import Settings

LOOK_SECONDS = 0.2


@dataclass
class LocalModel:
    """The home folder's server. ``server`` is set where this process launched it, and so watches and stops it."""

    state: ServerState
    server: LocalServer | None = None

    def tell_later(self, tell: Tell) -> None:
        """Whom to tell from now on what happens to the server, where this process watches it."""
        if self.server is not None:
            self.server.tell = tell

    async def close(self) -> None:
        """Stop the server if this process launched it."""
        if self.server is not None:
            await self.server.stop()


async def open_local(settings: Settings, tell: Tell, *, patience: Patience | None = None) -> LocalModel | None:
    """The configured server, launched unless it runs; without a configured one, what somebody else runs in this home folder.

    Returns when a tool call works; None where nothing is configured and nothing runs. Raises ``LocalModelError``.
    """
    if settings.model.local.model is None:
        return await share(settings, tell, patience) if running_server(settings.home) else None
    shared = await share(settings, tell, patience)
    if shared is not None:
        return shared
    plan = await asyncio.to_thread(plan_launch, settings)
    return await launch(settings, plan, tell, patience=patience)


async def launch(settings: Settings, plan: Plan, tell: Tell, *, patience: Patience | None = None) -> LocalModel:
    """Launch a planned server, or share the one that another process has launched in the meantime. Raises LocalModelError."""
    while True:
        lock = take_lock(settings.home)
        if lock is not None:
            break
        if shared := await share(settings, tell, patience):
            return shared
        await asyncio.sleep(LOOK_SECONDS)
    server = LocalServer(settings, plan.launch, lock=lock, key=server_key(settings.home), tell=tell, patience=patience)
    try:
        await server.start()
    except BaseException:
        await server.stop()
        raise
    return LocalModel(server.state, server)


async def share(settings: Settings, tell: Tell, patience: Patience | None = None) -> LocalModel | None:
    """The server of another process, when it is ready; None where there is none, or its owner gives up.

    Raises LocalModelOther where it runs another model than the configured one, LocalModelNotReady.
    """
    until = time.monotonic() + (patience or Patience()).ready_seconds
    waiting = False
    while state := running_server(settings.home):
        refuse_other(state, settings.model.local.model)
        if state.ready:
            return LocalModel(state)
        if not waiting:
            tell(f"waiting for the local model server that process {state.pid} is starting")
            waiting = True
        if time.monotonic() > until:
            seconds = f"{(patience or Patience()).ready_seconds:g}"
            raise LocalModelNotReady(seconds=seconds, log=local_log(settings.home))
        await asyncio.sleep(LOOK_SECONDS)
    return None


def refuse_other(state: ServerState, wanted: str | None) -> None:
    """LocalModelOther where the server runs another model than the wanted one."""
    folder = Path(wanted or "").expanduser()
    name = str(folder.resolve()) if wanted and folder.is_dir() else wanted
    if name not in (None, state.model):
        raise LocalModelOther(running=state.model, wanted=name, pid=state.pid)
