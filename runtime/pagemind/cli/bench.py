"""``pagemind bench``: the runtime's own speed and size, in one run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pagemind.testing.measure.memory import Held
from pagemind.testing.measure.report import QUICK, Report, Size, measure
from pagemind.testing.measure.steps import StepFigures
from pagemind.testing.measure.trips import StepTrips, Trips

NOT_INSTALLED = "not installed here, so there is nothing to compare with (a pip install of it is enough)"
PIPE_COLUMNS = 110


def bench(*, quick: bool, figures: Path | None) -> int:
    """Measure, print the table, write the figures; the exit status."""
    report = measure(QUICK if quick else Size(), told=lambda text: print(f"measuring {text}", file=sys.stderr, flush=True))
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    console.print(table(report))
    console.print("The reasoner and the embedder of the steps take no time; PostgreSQL, tools and runtime are the real ones.")
    if figures is not None:
        figures.write_text(json.dumps(report.figures(), indent=2) + "\n")
    return 0


def table(report: Report) -> Table:
    """The figures for people."""
    shown = Table("figure", "value", title="Bench (medians)")
    for row in [*step_rows(report.alone), *step_rows(report.together)]:
        shown.add_row(*row)
    shown.add_section()
    for name, trips in report.trips.items():
        shown.add_row(f"round trips of a step: {name}", step_words(trips))
    shown.add_section()
    for row in machine_rows(report):
        shown.add_row(*row)
    shown.add_section()
    for row in embedder_rows(report):
        shown.add_row(*row)
    return shown


def step_rows(figures: StepFigures) -> Iterator[tuple[str, str]]:
    """The runtime's own time."""
    who = "1 agent" if figures.agents == 1 else f"{figures.agents} agents at once"
    yield f"own time of a step, {who}", f"{figures.median_ms:.1f} ms, 95 % within {figures.p95_ms:.1f} ms"
    yield (
        f"  over {figures.steps} steps, {figures.prompt_messages:.0f} messages in the prompt",
        f"{figures.steps_per_second:.0f} steps/s, {figures.cpu_ms:.1f} ms of processor a step",
    )
    yield "  from sending an input to the first model call", f"{figures.accept_to_model_ms:.1f} ms"


def step_words(trips: StepTrips) -> str:
    """One step's round trips."""
    return f"read {trips_words(trips.read)}; persist {trips_words(trips.persist)}; {trips.total.round_trips} in all"


def trips_words(trips: Trips) -> str:
    """Round trips of one part."""
    return f"{trips.round_trips} ({trips.statements} in {trips.transactions} transaction{'s'[: trips.transactions != 1]})"


def machine_rows(report: Report) -> Iterator[tuple[str, str]]:
    """Start and memory."""
    yield f"second start to the prompt, of {report.start.starts}", f"{report.start.prompt_seconds:.2f} s"
    yield "chat -p hello, from start to exit", f"{report.start.headless_seconds:.2f} s"
    if report.memory is None:
        yield "memory of the idle process", "this system does not tell (Linux does)"
        return
    yield "idle process, without the embedder", held_words(report.memory.bare)
    yield "idle process, with the embedder loaded", held_words(report.memory.with_embedder)
    yield f"PostgreSQL beside it, {report.memory.postgres_processes} processes", f"{report.memory.postgres.pss_mib:.0f} MiB PSS"


def held_words(held: Held) -> str:
    """Memory of one process."""
    return f"{held.rss_mib:.0f} MiB RSS, {held.pss_mib:.0f} MiB PSS"


def embedder_rows(report: Report) -> Iterator[tuple[str, str]]:
    """The embedder beside sentence-transformers."""
    for each in filter(None, (report.embedder, report.reference)):
        speed = f"{each.embeds_per_second:.0f} embeds/s, one text {each.single_milliseconds:.1f} ms"
        yield f"embedder: {each.name} {each.dtype}".strip(), speed
    if report.throughput_ratio is None or report.latency_ratio is None:
        yield "embedder: sentence-transformers", NOT_INSTALLED
    else:
        yield "  ratio", f"{report.throughput_ratio:.2f} x the embeds/s, {report.latency_ratio:.2f} x as fast on one text"
