"""``pagemind bench-prefix``: what a real vLLM's prefix cache serves of the runtime's prompts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from pagemind.cli.options import at_endpoint
from pagemind.cli.plot import plot
from pagemind.settings import Settings
from pagemind.testing.local_vllm import local_vllm, vllm_is_here
from pagemind.testing.measure.prefix.aside import put_children_behind
from pagemind.testing.measure.prefix.behind import BehindFigures
from pagemind.testing.measure.prefix.crowd import CrowdFigures
from pagemind.testing.measure.prefix.own_time import OwnTimeFigures
from pagemind.testing.measure.prefix.report import Report, measure
from pagemind.testing.measure.prefix.sizes import QUICK, Size
from pagemind.testing.measure.prefix.talk import CountFigures, TalkFigures

PIPE_COLUMNS = 120
TARGET_PER_CALL, TARGET_SHARE, TARGET_EVERY_TURN, TARGET_OWN_MS = 400, 0.96, 450, 2.0
SHOWN_ROOMS = 8
PLOT_LINES = 8
LEAST_STARVED_SECONDS = 0.05
CORES = "VLLM_CPU_OMP_THREADS_BIND"
SLOTS, BLOCK_TOKENS = 4, 32


def bench_prefix(settings: Settings, *, endpoint: str | None, quick: bool, figures: Path | None) -> int:
    """Measure, print the tables, write the figures; the exit status. Skips aloud where there is no vLLM."""
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    if endpoint is None and not vllm_is_here():
        console.print("SKIPPED: there is no vLLM here (`make vllm-cpu` sets one up), and no --endpoint names one elsewhere.")
        return 0
    with server(endpoint) as url:
        report = with_progress(at_endpoint(settings, url), QUICK if quick else Size())
    show(report, console)
    if figures is not None:
        figures.write_text(json.dumps(report.figures(), indent=2) + "\n")
    return 0


@contextmanager
def server(endpoint: str | None) -> Generator[str]:
    """The named server; else one that is started with the tiny model, and ended afterwards."""
    if endpoint is not None:
        yield endpoint
        return
    os.environ.setdefault(CORES, cores_for_vllm())
    print("starting a vLLM with the tiny model (about a minute)", file=sys.stderr, flush=True)
    with (
        TemporaryDirectory(prefix="pagemind-vllm-") as folder,
        local_vllm(Path(folder), max_num_seqs=SLOTS, block_tokens=BLOCK_TOKENS) as url,
    ):
        put_children_behind()
        yield url


def cores_for_vllm() -> str:
    """All cores but one, as vLLM's threads are bound to them: busy on all of them, they would starve what is measured."""
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
    return ",".join(map(str, cores[1:])) or "auto"


def with_progress(settings: Settings, size: Size) -> Report:
    """Measure under a progress bar for each part, on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=None)
            progress.update(tasks[what], completed=done, total=total or None)

        return measure(settings, size, told)


def show(report: Report, console: Console) -> None:
    """Print what it came to."""
    plain = not console.is_terminal or console.no_color or bool(os.environ.get("NO_COLOR"))
    block = f", block {report.block_size}" if report.block_size else ""
    console.print(f"{report.server}{block}. Tokens are the server's own; all calls are counted, those in the background too.")
    console.print(talk_table([report.talk, report.every_turn, *report.references]))
    console.print("\n".join(share_plot(report.talk, width=min(console.width - 10, 100), ascii_only=plain)))
    console.print(table(report))
    console.print(profile_table(report.own_time))


def talk_table(talks: Sequence[TalkFigures]) -> Table:
    """The conversations, one a column."""
    first = talks[0]
    title = (
        f"A conversation of {first.turns} turns: {first.static_tokens:,} tokens of system text and {first.tools} tools, "
        f"{first.block_tokens:,} of blocks, window {first.window_tokens:,}"
    )
    shown = Table("tokens", title=title, box=box.ASCII)
    for each in talks:
        shown.add_column(each.layout, justify="right")
    for name, values in talk_rows(talks):
        shown.add_row(name, *values)
    return shown


def talk_rows(talks: Sequence[TalkFigures]) -> Iterator[tuple[str, list[str]]]:
    """What is said of each conversation."""
    yield (
        "recomputed per call of a turn, background calls booked on it",
        [f"{t.recomputed_tokens_per_call:,.0f}" for t in talks],
    )
    yield "  of that, by the calls of turns themselves", [per_call(t, "step") for t in talks]
    yield "  by summaries", [per_call(t, "summary") for t in talks]
    yield "  by warming new prefixes", [per_call(t, "warm") for t in talks]
    yield "recomputed per call of any kind", [f"{t.recomputed_tokens_per_any_call:,.0f}" for t in talks]
    yield "recomputed per turn", [f"{t.recomputed_tokens_per_turn:,.0f}" for t in talks]
    yield "share from the cache", [f"{t.cached_share:.1%}" for t in talks]
    yield "calls: turns + summaries + warming", [calls_words(t) for t in talks]
    yield "edits", [str(t.edits) for t in talks]
    yield "epochs, by cause", [", ".join(f"{n} {cause}" for cause, n in t.epochs.items()) or "1" for t in talks]
    yield (
        "prompts that began with the one before",
        [f"{t.prefixes.get('kept', 0)} of {sum(t.prefixes.values())}" for t in talks],
    )
    yield "  and did not though no epoch had begun", [str(t.prefixes.get("broken", 0)) for t in talks]
    yield "longest prompt", [f"{t.longest_prompt:,}" for t in talks]
    yield "seconds", [f"{t.seconds:.0f}" for t in talks]


def per_call(talk: TalkFigures, kind: str) -> str:
    """What the calls of a kind recomputed, spread over the calls of turns."""
    return f"{talk.recomputed_by_kind.get(kind, 0) / talk.calls['step']:,.0f}"


def calls_words(talk: TalkFigures) -> str:
    """How many calls there were of each kind."""
    return " + ".join(str(talk.calls.get(kind, 0)) for kind in ("step", "summary", "warm"))


def share_plot(talk: TalkFigures, *, width: int, ascii_only: bool) -> list[str]:
    """The cached share, turn by turn."""
    title = f"Share of prompt tokens from the cache in percent, turn by turn ({talk.layout})"
    return [
        title,
        *plot([100 * share for share in talk.shares], top=100, width=width, height=PLOT_LINES, ascii_only=ascii_only),
    ]


def table(report: Report) -> Table:
    """The figures that the targets are set for."""
    shown = Table("figure", "value", "target", box=box.ASCII)
    main, every = report.talk, report.every_turn
    shown.add_row("recomputed tokens per call", f"{main.recomputed_tokens_per_call:,.0f}", f"<= {TARGET_PER_CALL}")
    shown.add_row("share of prompt tokens from the cache", f"{main.cached_share:.1%}", f">= {TARGET_SHARE:.0%}")
    shown.add_row(every.layout, f"{every.recomputed_tokens_per_call:,.0f}", f"<= {TARGET_EVERY_TURN}")
    for row in [*reference_rows(report), *crowd_rows(report.crowd), *behind_rows(report.behind), *count_rows(report.counts)]:
        shown.add_row(*row)
    own = report.own_time
    shown.add_row(
        f"own time of a step, streamed in {own.pieces} pieces",
        f"{own.median_ms:.1f} ms (95 %: {own.p95_ms:.1f})",
        f"<= {TARGET_OWN_MS:.0f} ms on an idle machine",
    )
    return shown


def reference_rows(report: Report) -> Iterator[tuple[str, str, str]]:
    """How many times as much the other policies recompute."""
    for each in report.references:
        ratio = each.recomputed_tokens_per_call / report.talk.recomputed_tokens_per_call
        yield f"  {each.layout}", f"{each.recomputed_tokens_per_call:,.0f}, {ratio:.1f} x as much", ""


def crowd_rows(figures: CrowdFigures) -> Iterator[tuple[str, str, str]]:
    """What agents share."""
    yield (
        f"{figures.agents} agents of one definition: static text from the cache in their first calls",
        f"{figures.shared_share:.1%} of {figures.static_tokens:,} tokens",
        "print it",
    )
    yield f"  share from the cache over {figures.turns} turns of each", f"{figures.cached_share:.1%}", ""


def behind_rows(figures: BehindFigures) -> Iterator[tuple[str, str, str]]:
    """How long somebody waits."""
    yield "a first turn with nothing before it: time to the first reply", f"{figures.alone.first_piece_seconds:.2f} s", ""
    for wait in figures.waits:
        what = f"  behind {figures.background_calls} background calls, {wait.mode}"
        lost = (
            f", {wait.starved_seconds:.2f} of it without a processor" if wait.starved_seconds >= LEAST_STARVED_SECONDS else ""
        )
        yield what, f"{wait.first_piece_seconds:.2f} s{lost}", "print both"


def count_rows(figures: CountFigures) -> Iterator[tuple[str, str, str]]:
    """Our counts."""
    yield (
        "tokens counted before the call against usage.prompt_tokens",
        f"equal on {figures.equal:,} of {figures.calls:,}, largest difference {figures.largest_difference}",
        "equal, every call",
    )
    yield "  of these, corrected by an earlier reply's usage", f"{figures.corrected:,}", ""


def profile_table(own: OwnTimeFigures) -> Table:
    """Where the runtime's own time goes."""
    shown = Table(
        "step that", "ms", "stage", "mean ms", "processor by room", "share", box=box.ASCII, title="Own time of a step"
    )
    columns = [
        [(kind, f"{ms:.1f}") for kind, ms in own.by_kind_ms.items()],
        [(stage, f"{ms:.1f}") for stage, ms in own.stages_ms.items()],
        [(room, f"{share:.0%}") for room, share in own.profile[:SHOWN_ROOMS]],
    ]
    for row in range(max(map(len, columns))):
        cells = [column[row] if row < len(column) else ("", "") for column in columns]
        shown.add_row(*(text for cell in cells for text in cell))
    return shown
