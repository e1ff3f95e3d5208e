"""Keeps one server process, as a script of its own: ``python -I -S keeper.py LOG GRACE_SECONDS PROGRAM ARGUMENT...``.

It says the server's process id on standard output, writes what the server says to LOG, which never outgrows two files of
``LOG_BYTES``, and ends with the server's exit status. When its standard input ends, the server is stopped: that is the pipe
that its owner holds, which the system closes however the owner dies, also by ``kill -9``, on Linux and on macOS.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import BinaryIO

LOG_BYTES = 5_000_000
TICK_SECONDS = 0.2
CHUNK_BYTES = 65_536
PR_SET_PDEATHSIG = 1


class BoundedLog:
    """A file for its owner's eyes, that becomes ``NAME.1`` and begins anew when it is full."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._open()

    def write(self, data: bytes) -> None:
        """Append, and begin anew first where the file is full."""
        if self._file.tell() + len(data) > LOG_BYTES:
            self._file.close()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._file = self._open()
        self._file.write(data)
        self._file.flush()

    def _open(self) -> BinaryIO:
        return os.fdopen(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


class Keeper:
    """One server, from its start to its end."""

    def __init__(self, command: list[str], log: BoundedLog, grace_seconds: float) -> None:
        self._log = log
        self._grace_seconds = grace_seconds
        self._stopping_since: float | None = None
        self._server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=die_with_parent(),
        )

    def run(self) -> int:
        """Until the server has ended; its exit status, 128 + the number of the signal that killed it."""
        sys.stdout.write(f"{self._server.pid}\n")
        sys.stdout.flush()
        output = self._server.stdout
        assert output is not None
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ, self._copy)
            selector.register(0, selectors.EVENT_READ, self._owner_said)
            while self._server.poll() is None:
                for key, _ in selector.select(TICK_SECONDS):
                    handle: Callable[[int], bool] = key.data
                    if not handle(key.fd):
                        selector.unregister(key.fileobj)
                self._kill_if_late()
        self._end_group(signal.SIGKILL)
        os.set_blocking(output.fileno(), False)
        self._copy_rest(output.fileno())
        status = self._server.returncode
        return status if status >= 0 else 128 - status

    def stop(self) -> None:
        """Ask the server to end; it is killed when the grace time is over."""
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
            self._end_group(signal.SIGTERM)

    def _copy(self, descriptor: int) -> bool:
        data = os.read(descriptor, CHUNK_BYTES)
        self._log.write(data)
        return bool(data)

    def _copy_rest(self, descriptor: int) -> None:
        try:
            while self._copy(descriptor):
                pass
        except BlockingIOError:
            return

    def _owner_said(self, descriptor: int) -> bool:
        alive = bool(os.read(descriptor, CHUNK_BYTES))
        if not alive:
            self.stop()
        return alive

    def _kill_if_late(self) -> None:
        since = self._stopping_since
        if since is not None and time.monotonic() - since > self._grace_seconds:
            self._end_group(signal.SIGKILL)

    def _end_group(self, sign: signal.Signals) -> None:
        """The server's workers are in its group: they outlive it now and then."""
        try:
            os.killpg(self._server.pid, sign)
        except (ProcessLookupError, PermissionError):
            # macOS says the latter of a group of which only a zombie is left.
            return


def die_with_parent() -> Callable[[], None] | None:
    """What makes a child die with this process, should this one be killed itself; there is no such call but on Linux."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(log: str, grace_seconds: str, *command: str) -> int:
    """Keep the server; its exit status."""
    keeper = Keeper(list(command), BoundedLog(Path(log)), float(grace_seconds))

    def told(sign: int, frame: FrameType | None) -> None:
        keeper.stop()

    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, told)
    return keeper.run()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
