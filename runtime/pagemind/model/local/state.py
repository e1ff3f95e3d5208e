"""Which local server a home folder has: a lock that is held for as long as one lives, a file that says where it is, a key."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import SecretStr

from pagemind.model.wire import object_of, text_of, whole

LOCK, STATE, KEY = "local-model.lock", "local-model.json", "local-model.key"
KEY_BYTES = 32
MOST_BYTES = 100_000

Tell = Callable[[str], None]
"""Hears, in a few words, how far a server is."""


@dataclass(frozen=True)
class ServerState:
    """The server of a home folder. ``pid`` is its owner's: the process that launched it and watches it."""

    pid: int
    started: float
    """Seconds since 1970."""
    url: str
    model: str
    """As it was asked for."""
    served_name: str
    """As the server calls it."""
    ready: bool = False
    """Whether it has called a tool since it was last started."""


def take_lock(home: Path) -> int | None:
    """Become the owner of the home folder's server; the lock's descriptor, or None while another process is it.

    The server's keeper holds the same lock, so it is free only when owner and server are both gone, however they went.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_owned(home: Path) -> bool:
    """Whether some process, maybe this one, launches or runs a server for the home folder."""
    try:
        descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def running_server(home: Path) -> ServerState | None:
    """The home folder's server, ready or not; None where there is none, whatever a dead one left behind."""
    return read_state(home) if is_owned(home) else None


def read_state(home: Path) -> ServerState | None:
    """What the file says; None where there is none or it is not readable."""
    try:
        with (home / STATE).open(encoding="utf-8") as file:
            given = object_of(json.loads(file.read(MOST_BYTES)))
    except (OSError, ValueError):
        return None
    pid, started = whole(given.get("pid")), given.get("started")
    url, model, name = (text_of(given.get(field)) for field in ("url", "model", "served_name"))
    if not (pid and url and model and isinstance(started, int | float)):
        return None
    return ServerState(pid, float(started), url, model, name, ready=given.get("ready") is True)


def write_state(home: Path, state: ServerState) -> None:
    """Replace the file in one go; for the owner only."""
    new = home / f"{STATE}.new"
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(state), file)
    new.replace(home / STATE)


def drop_state(home: Path) -> None:
    """Remove the file; for the owner only."""
    (home / STATE).unlink(missing_ok=True)


def server_key(home: Path) -> SecretStr:
    """The API key of the home folder's server, made at first use; only its owner may read the file."""
    file = home / KEY
    if not file.exists():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = home / f"{KEY}.{secrets.token_hex(8)}"
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as opened:
            opened.write(secrets.token_urlsafe(KEY_BYTES))
        # A link is there whole or not at all, and the first one stays: two processes may come here at once.
        with suppress(FileExistsError):
            os.link(new, file)
        new.unlink()
    return SecretStr(file.read_text(encoding="ascii"))
