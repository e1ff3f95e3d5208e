"""What passages take: on the disk by table and kind, and in the memory of the server and of this process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pagemind.engine.runtime import Runtime
from pagemind.store.footprint import Footprint, footprint
from pagemind.testing.measure.memory import children, held

TABLES = ("passages", "passage_embeddings")


@dataclass(frozen=True)
class Taken:
    """What there is at a moment. MiB are None where the system does not tell (anything but Linux)."""

    passages: int
    tables: dict[str, Footprint]
    postgres_mib: float | None
    """PSS of all its processes, so that what they share counts once."""
    runtime_mib: float | None
    """RSS of this process: runtime, embedder and the measurement itself, with its texts and vectors."""

    @property
    def disk_bytes(self) -> int:
        """Of rows and indexes together."""
        return sum(each.rows + each.indexes for each in self.tables.values())


async def taken(runtime: Runtime, passages: int) -> Taken:
    """Look now."""
    async with runtime.kernel.database.transaction() as session:
        tables = await footprint(session, TABLES)
    return Taken(passages, tables, postgres_mib(runtime), runtime_mib())


def postgres_mib(runtime: Runtime) -> float | None:
    """The memory of the embedded server; None where there is none, or the system does not tell."""
    embedded = runtime.kernel.database.embedded
    server = embedded.pid if embedded else None
    if server is None or not Path("/proc/self/smaps_rollup").exists():
        return None
    return sum(map(pss_mib, (server, *children(server))))


def pss_mib(pid: int) -> float:
    """Of one process; 0 of one that has just gone, as those of parallel workers and vacuums do."""
    try:
        return held(pid).pss_mib
    except OSError:
        return 0.0


def runtime_mib() -> float | None:
    """The memory of this process."""
    return held(os.getpid()).rss_mib if Path("/proc/self/smaps_rollup").exists() else None


@dataclass(frozen=True)
class PerPassage:
    """Bytes of disk that a passage took between two moments, by table, rows and indexes apart; memory as it stood after."""

    passages: int
    disk: dict[str, float]
    postgres_mib: float | None
    runtime_mib: float | None
    settling_seconds: float
    """What the survey and the indexes took after all were stored."""

    @property
    def disk_bytes(self) -> float:
        """All of it."""
        return sum(self.disk.values())


def between(before: Taken, after: Taken, settling_seconds: float) -> PerPassage:
    """What each passage that came in between took."""
    came = max(1, after.passages - before.passages)
    disk = {
        f"{table} {kind}": (getattr(after.tables[table], kind) - getattr(before.tables[table], kind)) / came
        for table in TABLES
        for kind in ("rows", "indexes")
    }
    return PerPassage(came, disk, after.postgres_mib, after.runtime_mib, settling_seconds)
