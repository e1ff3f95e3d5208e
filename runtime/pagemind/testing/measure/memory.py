"""What an idle runtime and its database hold in memory, as Linux tells it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pagemind.testing.measure.idle import READY
from pagemind.testing.shell import Shell

SETTLE_SECONDS = 1.5
LINE = re.compile(r"^(Rss|Pss):\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Held:
    """MiB. ``pss_mib`` counts a page shared by n processes as its nth part, so that processes can be added up."""

    rss_mib: float
    pss_mib: float


@dataclass(frozen=True)
class MemoryFigures:
    """An idle process without and with the embedder loaded, and all processes of the embedded PostgreSQL beside it."""

    bare: Held
    with_embedder: Held
    postgres: Held
    postgres_processes: int


def memory_figures(folder: Path) -> MemoryFigures | None:
    """Measure; None where the system does not tell (anything but Linux)."""
    if not Path("/proc/self/smaps_rollup").exists():
        return None
    bare, _, _ = looked_at(folder / "bare", "bare")
    loaded, postgres, count = looked_at(folder / "loaded")
    return MemoryFigures(bare, loaded, postgres, count)


def looked_at(home: Path, *words: str) -> tuple[Held, Held, int]:
    """An idle runtime on this home folder, its PostgreSQL, and how many processes that is."""
    command = [sys.executable, "-m", "pagemind.testing.measure.idle", str(home), *words]
    with subprocess.Popen(
        command, env=Shell(home, home).environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != READY:
            raise RuntimeError(f"the idle runtime did not start: exit status {process.wait()}")
        time.sleep(SETTLE_SECONDS)
        own = held(process.pid)
        [note] = home.rglob("postmaster.pid")
        server = int(note.read_text().splitlines()[0])
        servers = [held(pid) for pid in (server, *children(server))]
        process.communicate()
    return own, Held(sum(each.rss_mib for each in servers), sum(each.pss_mib for each in servers)), len(servers)


def held(pid: int) -> Held:
    """What a process holds."""
    kib = {name: int(value) for name, value in LINE.findall(Path(f"/proc/{pid}/smaps_rollup").read_text())}
    return Held(kib["Rss"] / 1024, kib["Pss"] / 1024)


def children(pid: int) -> list[int]:
    """The processes that a process started itself."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
