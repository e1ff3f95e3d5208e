"""``pagemind bench-retrieval``: what searches find, how fast, and what the rows behind them cost."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import uvloop
from rich.console import Console

from pagemind.cli.bench_retrieval_views import recall_tables, speed_table
from pagemind.errors import UsageError
from pagemind.settings import Settings
from pagemind.testing.measure.retrieval.report import Parts, Report, measure
from pagemind.testing.measure.retrieval.sizes import QUICK, Size

PIPE_COLUMNS = 120
MOST_PASSAGES = 10_000_000


class BadSizes(UsageError):
    """--sizes are not numbers of passages. Fix: give whole numbers with commas between, such as --sizes 1000,100000."""

    code = "bad_sizes"


def bench_retrieval(
    settings: Settings, *, data: Path | None, quick: bool, sizes: str | None, only: str | None, figures: Path | None
) -> int:
    """Measure, print the tables, write the figures as they come; the exit status."""
    size = QUICK if quick else Size()
    size = size if sizes is None else replace(size, sizes=passages_of(sizes))
    parts = Parts(data, recall=only != "speed", speed=only != "recall")

    def keep(report: Report) -> None:
        if figures is not None:
            figures.write_text(json.dumps(report.figures(), indent=2) + "\n")

    report = uvloop.run(measure(settings, size, parts, tell, keep))
    show(report, Console(markup=False, highlight=False, emoji=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS))
    return 0


def tell(what: str) -> None:
    """Say what is being measured."""
    print(f"measuring {what}" if not what.startswith(" ") else what, file=sys.stderr, flush=True)


def passages_of(sizes: str) -> tuple[int, ...]:
    """The sizes as they were given. BadSizes."""
    try:
        found = tuple(int(each.replace("_", "")) for each in sizes.split(","))
    except ValueError as error:
        raise BadSizes(sizes[:100]) from error
    if not all(1 <= each <= MOST_PASSAGES for each in found):
        raise BadSizes(sizes[:100])
    return found


def show(report: Report, console: Console) -> None:
    """Print what it came to."""
    for part, reason in report.skipped.items():
        console.print(f"SKIPPED: {part}: {reason} (DATA=folder names another).")
    shown: Sequence[object] = recall_tables(report.recall) if report.recall else ()
    for table in shown:
        console.print(table)
    if report.recall:
        console.print("Intervals: 95 %, bootstrap over conversations, then their questions. Bare question, no model call.")
    if report.loading:
        console.print(speed_table(report))
        console.print(
            f"Real PostgreSQL and runtime; embedder: {report.embedder}. Timings vary with what else the machine does."
        )
