"""The processes under measurement: a server of this machine, its PostgreSQL, and what they use."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pagemind.testing.shell import Shell

LISTENING = re.compile(rb"listens on http://([^:]+):(\d+)")
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Server:
    """A running server."""

    host: str
    port: int
    pid: int
    home: Path

    def cpu_seconds(self) -> tuple[float, float]:
        """Of the server's own process, and of all processes of its PostgreSQL, as far as they still run."""
        postmaster = int((self.home / "postgres" / "postmaster.pid").read_text().split()[0])
        pids = [postmaster, *children(postmaster)]
        return seconds_of(self.pid), sum(map(seconds_of, pids))

    def memory_bytes(self) -> int:
        """The resident memory of the server's own process."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE_BYTES


def children(pid: int) -> list[int]:
    """The processes that this one has started and that still run."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def seconds_of(pid: int) -> float:
    """The processor time of a process; 0 for one that has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def stub_server(home: Path) -> Generator[Server]:
    """``pagemind serve`` with a stub reasoner and vectors without meaning, in a process of its own, on a free port."""
    process = Shell(home, home).start("serve-stub")
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := LISTENING.search(line):
                yield Server(found[1].decode(), int(found[2]), process.pid, home)
                break
        else:
            assert process.stderr is not None
            raise RuntimeError(process.stderr.read().decode())
    finally:
        process.terminate()
        process.communicate(timeout=STOP_SECONDS)
