"""What costs nothing where there is no local server: whether there is one, and its way in if so."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, cast

from pydantic import SecretStr

from pagemind.model.local.state import Tell, running_server, server_key
from pagemind.settings import Settings


class Joined(Protocol):
    """A local server that this process uses."""

    def tell_later(self, tell: Tell) -> None:
        """Whom to tell from now on what happens to it."""
        ...

    async def close(self) -> None:
        """Stop using it; stop it if this process launched it."""
        ...


@dataclass(frozen=True)
class Address:
    """Where the local server is, or will be. ``model`` is empty while it does not run."""

    url: str
    model: str
    key: SecretStr


async def join_local(settings: Settings, tell: Tell) -> Joined | None:
    """Launch the configured server, or share the one that runs in the home folder; None where there is neither.

    Returns when a tool call works. Raises ``LocalModelError``.
    """
    if settings.reasoner_url or not (settings.model.local.model or running_server(settings.home)):
        return None
    # What launches a server brings the hub's client along, half a second that only those pay who have one.
    module = importlib.import_module("pagemind.model.local.opening")
    return await cast("Callable[[Settings, Tell], Awaitable[Joined | None]]", module.open_local)(settings, tell)


def local_address(settings: Settings) -> Address | None:
    """The server that runs in the home folder, else the configured one; None where there is neither."""
    if state := running_server(settings.home):
        return Address(state.url, state.served_name, server_key(settings.home))
    local = settings.model.local
    return Address(f"http://127.0.0.1:{local.port}/v1", "", server_key(settings.home)) if local.model else None
