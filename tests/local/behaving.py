"""What tests of the local server look at from outside."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from pagemind.settings import Settings

MakeSettings = Callable[[str], Settings]
LOOK_SECONDS = 0.05


def server_pids(settings: Settings) -> list[int]:
    """The processes that the servers of this home folder ever were."""
    return [int(line) for line in (Path(settings.model.local.model or "") / "pids").read_text().split()]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


async def until(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    """Whether the condition holds in time."""
    for _ in range(round(seconds / LOOK_SECONDS)):
        if condition():
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return condition()


async def gone(pids: list[int], seconds: float = 25.0) -> bool:
    """Whether these processes end in time."""
    return await until(lambda: not any(is_alive(pid) for pid in pids), seconds)


def command_of(pid: int) -> str:
    """The command line of a process as everybody sees it."""
    return subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, timeout=10, check=True
    ).stdout
