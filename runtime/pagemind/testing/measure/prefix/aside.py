"""A model server without a GPU keeps every processor busy: it is put behind what is to be measured beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROCESSES = Path("/proc")
LEAST_PRIORITY = 19


def put_children_behind() -> None:
    """Run all processes that this one has started, and theirs, only where nothing else wants the processor. Linux only."""
    for pid in descendants(os.getpid()):
        # One that has just ended is of no concern, nor is a kernel without groups by session.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, LEAST_PRIORITY)
        with suppress(OSError):
            (PROCESSES / str(pid) / "autogroup").write_text(str(LEAST_PRIORITY))


def descendants(pid: int) -> Iterator[int]:
    """The process' children, and theirs."""
    for child in children_of().get(pid, ()):
        yield child
        yield from descendants(child)


def children_of() -> dict[int, list[int]]:
    """The children of each process; empty where the system has no ``/proc``."""
    found: dict[int, list[int]] = {}
    for stat in PROCESSES.glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in brackets may hold anything, spaces and brackets too.
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            found.setdefault(parent, []).append(int(stat.parent.name))
    return found
