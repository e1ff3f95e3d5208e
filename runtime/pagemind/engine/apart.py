"""Apart: work on what strangers gave, done in a process of its own, so that it can neither hang nor fill up the server.

A module that is run so reads standard input and writes standard output; it calls ``limited`` first of all.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress


class ApartFailed(Exception):
    """The process ended without a result, or did not end in time."""


async def apart(module: str, given: bytes, *, seconds: float, memory_bytes: int) -> bytes:
    """What the module writes when it is given this. Raises ApartFailed; the process is gone when this returns."""
    words = (sys.executable, "-I", "-m", module, str(memory_bytes), str(int(seconds) + 1))
    process = await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={})
    try:
        async with asyncio.timeout(seconds):
            written, _ = await process.communicate(given)
    except TimeoutError as error:
        raise ApartFailed(f"it took longer than {seconds:.0f} seconds") from error
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
    if process.returncode != 0:
        raise ApartFailed("its process failed")
    return written


def limited() -> None:
    """Hold this process to the memory and seconds of its command line, as far as the system does that."""
    memory_bytes, seconds = int(sys.argv[1]), int(sys.argv[2])
    for what, most in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))
