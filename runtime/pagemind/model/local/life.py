"""One life of the server: its process, what its log says, whether it is ready."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pagemind.model.local.command import HOST

KEEPER = Path(__file__).with_name("keeper.py")
HEALTH_SECONDS = 5.0
TAIL_CHARS = 3_000
TAIL_LINES = 20
READ_BYTES = 1_000_000
LEAVE_SECONDS = 5.0
"""How long a keeper may take beyond the grace time of its server."""

PHASES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"Initializing a V\d LLM engine|Initializing an LLM engine"), "starting the engine"),
    (re.compile(r"Starting to load model|Loading safetensors|Loading model from"), "loading the weights"),
    (re.compile(r"Loading weights took"), "weights loaded"),
    (re.compile(r"Compiling a graph|Dynamo bytecode|torch\.compile takes"), "compiling"),
    (re.compile(r"[Cc]apturing .*(?:CUDA )?graph"), "capturing CUDA graphs"),
    (re.compile(r"KV cache size"), "cache allocated"),
    (re.compile(r"Starting vLLM (?:API )?server|Application startup complete"), "listening"),
)
"""What a line of vLLM's log tells about how far it is. A line that is not known is not shown."""


@dataclass
class LogReader:
    """Reads what was added to a log since it was last asked."""

    path: Path
    offset: int = 0
    told: set[str] = field(default_factory=set[str])

    @classmethod
    def at_end(cls, path: Path) -> Self:
        """A reader of what will be added; the log's folder is made."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(path, path.stat().st_size if path.exists() else 0)

    def phases(self) -> list[str]:
        """The phases that the new lines name for the first time, in order."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(self.offset if self.offset <= size else 0)
                data = file.read(READ_BYTES)
                self.offset = file.tell()
        except FileNotFoundError:
            return []
        lines = data.decode(errors="replace").splitlines()
        named = dict.fromkeys(phase for line in lines for pattern, phase in PHASES if pattern.search(line))
        new = [phase for phase in named if phase not in self.told]
        self.told.update(new)
        return new


class Life:
    """A running keeper with its server. Closing the pipe to it stops both, and so does our own death."""

    def __init__(self, keeper: asyncio.subprocess.Process, pid: int, grace_seconds: float, log: LogReader) -> None:
        self.pid = pid
        """The server's process, whose group its workers are in."""
        self.log = log
        self._keeper = keeper
        self._grace_seconds = grace_seconds

    @classmethod
    async def begin(
        cls, command: Sequence[str], environment: Mapping[str, str], log: Path, *, lock: int, grace_seconds: float
    ) -> Self:
        """Start a server. The keeper holds the lock too, and what the server says goes to the log."""
        reader = LogReader.at_end(log)
        keeper = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(KEEPER), str(log), str(grace_seconds), *command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            cwd=log.parent,
            pass_fds=(lock,),
            start_new_session=True,
        )
        assert keeper.stdout is not None
        said = await keeper.stdout.readline()
        return cls(keeper, int(said or 0), grace_seconds, reader)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._keeper.returncode is None

    async def ended(self) -> int:
        """Wait until it has ended, by itself or not; its exit status."""
        return await self._keeper.wait()

    async def stop(self) -> None:
        """Stop the server and wait until it is gone."""
        if self.running and self._keeper.stdin is not None:
            self._keeper.stdin.close()
            try:
                await asyncio.wait_for(self._keeper.wait(), self._grace_seconds + LEAVE_SECONDS)
            except TimeoutError:
                # Its server dies with it on Linux; a keeper that hangs has never been seen.
                self._keeper.kill()
        await self._keeper.wait()


def is_healthy(port: int) -> bool:
    """Whether the server at a port of this machine says that it is well. Blocks for seconds at most."""
    connection = http.client.HTTPConnection(HOST, port, timeout=HEALTH_SECONDS)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def last_lines(log: Path) -> str:
    """The end of a log."""
    try:
        text = log.read_bytes()[-TAIL_CHARS:].decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-TAIL_LINES:])
