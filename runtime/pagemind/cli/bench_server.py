"""``pagemind bench-server``: the server's speed on a real socket, in one run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from pagemind.testing.measure.server.figures import QUICK, Crowd, Report, Size, measure

PIPE_COLUMNS = 110


def bench_server(*, quick: bool, memory_runs: int | None, figures: Path | None) -> int:
    """Measure, print the table, write the figures; the exit status."""
    size = QUICK if quick else Size()
    if memory_runs is not None:
        size = replace(size, memory_runs=memory_runs)
    report = uvloop.run(measure(size, lambda text: print(f"measuring {text}", file=sys.stderr, flush=True)))
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    console.print(table(report))
    console.print("The reasoner and the embedder take no time; HTTP, runtime and PostgreSQL are the real ones.")
    if figures is not None:
        figures.write_text(json.dumps(report.figures(), indent=2) + "\n")
    return 0


def table(report: Report) -> Table:
    """The figures for people."""
    shown = Table("figure", "value", "to reach", title="Server (medians)")
    for row in rows(report):
        shown.add_row(*row)
    return shown


def rows(report: Report) -> Iterator[tuple[str, str, str]]:
    """A row for each figure: what it is, what it came to, what was set as a target."""
    alone, streams, memory = report.alone, report.streams, report.memory
    yield "a message of one agent, blocking", f"{alone.p50_ms:.1f} ms, 95 % within {alone.p95_ms:.1f} ms", "6 ms"
    yield from cost_rows(alone.server_cpu_ms, alone.postgres_cpu_ms, alone.round_trips)
    for crowd in report.crowds:
        yield from crowd_rows(crowd)
    yield "first event of a stream", f"{report.first_event_ms:.1f} ms", "4 ms"
    gaps = f"p50 {streams.gap_p50_ms:.0f} ms, p99 {streams.gap_p99_ms:.0f} ms, most {streams.gap_max_ms:.0f} ms"
    yield f"{streams.streams} streams, a token each 100 ms: gaps", gaps, "p99 250 ms"
    yield "  processor time of the server", f"{streams.server_cpu_share:.0%} of a core", ""
    yield "passages created", f"{report.passages_per_second:.0f} /s", ""
    held = f"{memory.early_mib:.0f}, {memory.half_mib:.0f}, {memory.end_mib:.0f} MiB"
    yield f"resident memory over {memory.runs:,} runs: after a tenth, half, all", held, "flat"
    yield "  what the second half added", f"{memory.bytes_per_run:.0f} bytes a run", ""


def crowd_rows(crowd: Crowd) -> Iterator[tuple[str, str, str]]:
    """The rows of agents at once."""
    target = "300 runs/s" if crowd.agents == 64 else ""
    yield f"{crowd.agents} agents at once", f"{crowd.runs_per_second:.0f} runs/s", target
    yield "  a message", f"{crowd.p50_ms:.1f} ms, 95 % within {crowd.p95_ms:.1f} ms", ""
    yield from cost_rows(crowd.server_cpu_ms, crowd.postgres_cpu_ms, crowd.round_trips)


def cost_rows(server_ms: float, postgres_ms: float, trips: float) -> Iterator[tuple[str, str, str]]:
    """What a run cost."""
    yield "  processor time of a run", f"{server_ms:.2f} ms server, {postgres_ms:.2f} ms PostgreSQL", ""
    yield "  round trips of a run to PostgreSQL", f"{trips:.1f}", ""
