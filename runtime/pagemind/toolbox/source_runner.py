"""Tools that came as source, run in a process of their own.

What is kept from the tool: the server's memory and event loop, its environment (keys, ``PAGEMIND_*``), its descriptors; more
than its share of time, memory, file size, processes and output; other calls' working folders. Arguments reach it as data.

What is not: it runs with this user's rights. It can read the user's files (the home folder and the database's password in it),
use the network, and leave a process behind that begins a session of its own. It is therefore off unless the operator allows
it, and only for tools whose authors are trusted like the operator. A sandbox that takes these away is another matter.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pagemind.errors import ToolSourceOff
from pagemind.records import Json
from pagemind.records.text import clean_text

CHILD = Path(__file__).with_name("source_child.py")
PATH = "/usr/local/bin:/usr/bin:/bin"
MEMORY_BYTES = 2 << 30
FILE_BYTES = 64 << 20
OPEN_FILES = 256
OUTPUT_LIMIT_BYTES = 200_000
RESULT_LIMIT_BYTES = 2_000_000
SECRETS_LIMIT_BYTES = 100_000
LAST_WORDS_SECONDS = 1.0
AT_ONCE = 2 * (os.cpu_count() or 2)
"""Processes at a time; one more waits within its own time."""


@dataclass(frozen=True)
class SourceOutcome:
    """What a call gave back: its ``value`` if ``ok``, else ``error`` in words; and what it printed."""

    ok: bool
    value: Any = None
    error: str = ""
    stdout: str = ""
    stderr: str = ""

    @property
    def text(self) -> str:
        """The value, or the error, as a text."""
        if not self.ok:
            return self.error
        return self.value if isinstance(self.value, str) else str(self.value)


class SourceRunner:
    """Runs calls of tools that came as source, so many at a time."""

    def __init__(self, *, allowed: bool) -> None:
        self.allowed = allowed
        self._room = asyncio.Semaphore(AT_ONCE)

    async def run(
        self, source: str, name: str, arguments: Json, *, secrets: Mapping[str, str] | None = None, seconds: float
    ) -> SourceOutcome:
        """Call the function ``name`` of the source (else its last public one) within that time. Raises ToolSourceOff.

        Whatever the tool does wrong is an outcome. Cut off, it is killed with all of its process group.
        """
        if not self.allowed:
            raise ToolSourceOff
        call = {"source": source, "function": name, "arguments": arguments, "limits": limits(seconds)}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                await self._room.acquire()
        except TimeoutError:
            return SourceOutcome(
                False, error=f"TimeoutError: too many tools run already; it could not begin within {seconds:g} s"
            )
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="pagemind-tool-"))
        try:
            return await run_child(json.dumps(call).encode(), environment(folder, secrets or {}), folder, deadline, seconds)
        finally:
            self._room.release()
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


def limits(seconds: float) -> dict[str, int]:
    """The process's limits by their names in ``resource``."""
    return {
        "RLIMIT_CPU": math.ceil(seconds) + 1,
        "RLIMIT_AS": MEMORY_BYTES,
        "RLIMIT_FSIZE": FILE_BYTES,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_CORE": 0,
    }


def environment(folder: Path, secrets: Mapping[str, str]) -> dict[str, str]:
    """A clean environment with the agent's secrets in it; what no environment can hold is left out."""
    own = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": str(folder), "TMPDIR": str(folder)}
    usable = {name: value for name, value in secrets.items() if name and "=" not in name and "\0" not in name + value}
    size = 0
    for name, value in usable.items():
        size += len(name.encode("utf-8", "surrogateescape")) + len(value.encode("utf-8", "surrogateescape"))
        if size <= SECRETS_LIMIT_BYTES:
            own[name] = value
    return own


async def run_child(call: bytes, variables: Mapping[str, str], folder: Path, deadline: float, seconds: float) -> SourceOutcome:
    """Start the process, hand it the call, take what it says until it ends or its time does."""
    receiving, sending = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-B", str(CHILD), str(sending),
            stdin=PIPE, stdout=PIPE, stderr=PIPE, env=dict(variables), cwd=folder, pass_fds=(sending,), start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        os.close(receiving)
        return SourceOutcome(False, error=f"The tool's process could not be started: {error.strerror}")
    finally:
        os.close(sending)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    result, stdout, stderr = bytearray(), bytearray(), bytearray()
    readers = [
        asyncio.create_task(read_descriptor(receiving, result)),
        asyncio.create_task(read_capped(process.stdout, OUTPUT_LIMIT_BYTES, stdout)),
        asyncio.create_task(read_capped(process.stderr, OUTPUT_LIMIT_BYTES, stderr)),
    ]
    timed_out = False
    try:
        async with asyncio.timeout_at(deadline):
            await hand_over(process, call)
            await process.wait()
    except TimeoutError:
        timed_out = True
    finally:
        kill_group(process)
        # What the dead have written can still be read; a process that left the group may hold the pipes open for ever.
        await asyncio.wait(readers, timeout=LAST_WORDS_SECONDS)
        for reader in readers:
            reader.cancel()
        await asyncio.shield(process.wait())
    if timed_out:
        error = f"TimeoutError: the tool did not finish within {seconds:g} s"
        return SourceOutcome(False, error=error, stdout=as_text(stdout), stderr=as_text(stderr))
    return judged(bytes(result), process.returncode or 0, as_text(stdout), as_text(stderr))


async def hand_over(process: Process, call: bytes) -> None:
    """Write the call to the process, which may be dead already."""
    assert process.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(call)
        await process.stdin.drain()
    process.stdin.close()


def kill_group(process: Process) -> None:
    """End the process and every other of its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


async def read_descriptor(descriptor: int, kept: bytearray) -> None:
    """Keep what comes through the pipe, at most one byte more than a result may have."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb")
    )
    try:
        await read_capped(reader, RESULT_LIMIT_BYTES + 1, kept)
    finally:
        transport.close()


async def read_capped(reader: asyncio.StreamReader, limit_bytes: int, kept: bytearray) -> None:
    """Keep the beginning of what comes until the end; the rest is read too, so that its writer goes on."""
    while chunk := await reader.read(65_536):
        kept += chunk[: limit_bytes - len(kept)]


def as_text(data: bytearray) -> str:
    """A stream as text."""
    return clean_text(data.decode("utf-8", "replace"))


def judged(data: bytes, status: int, stdout: str, stderr: str) -> SourceOutcome:
    """The outcome that the process's result tells, or its death."""
    if len(data) > RESULT_LIMIT_BYTES:
        error = f"The tool's result has more than {RESULT_LIMIT_BYTES} bytes"
        return SourceOutcome(False, error=error, stdout=stdout, stderr=stderr)
    try:
        answer: Any = json.loads(data, parse_constant=str)
        ok, value, error = bool(answer["ok"]), cleaned(answer.get("value")), clean_text(str(answer.get("error", "")))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        words = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return SourceOutcome(False, error=f"The tool's process {words} before it had a result", stdout=stdout, stderr=stderr)
    return SourceOutcome(ok, value, error, stdout, stderr)


def cleaned(value: Any) -> Any:
    """The value with every text in it cleaned."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [cleaned(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {clean_text(str(name)): cleaned(each) for name, each in cast("Json", value).items()}
    return value
