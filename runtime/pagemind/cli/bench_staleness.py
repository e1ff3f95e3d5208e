"""``pagemind bench-staleness``: whether a real model answers with the newest fact, under write-back and write-through."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from pagemind.cli.options import at_endpoint
from pagemind.cli.text import one_line
from pagemind.errors import UsageError
from pagemind.settings import Settings
from pagemind.testing.measure.staleness.cases import CASES, Kind, Verdict
from pagemind.testing.measure.staleness.figures import Answered, Interval, Report, accuracy, of_kind, verdicts
from pagemind.testing.measure.staleness.trial import measure

PIPE_COLUMNS = 110
SHOWN_ANSWERS = 12


class NoModelToAsk(UsageError):
    """There is no language model to ask: the questions are about what a model understands.
    Fix: name its server, as in `make bench-staleness ENDPOINT=http://127.0.0.1:8000/v1`."""

    code = "no_model_to_ask"


def bench_staleness(
    settings: Settings,
    *,
    endpoint: str | None,
    model: str | None,
    questions: int | None,
    filler: int,
    figures: Path | None,
) -> int:
    """Ask, print the table, write the figures; the exit status. Raises NoModelToAsk, ReasonerUnreachable."""
    if endpoint is None or endpoint in ("", "demo"):
        raise NoModelToAsk("no --endpoint was given" if not endpoint else "the demo reasoner understands nothing")
    report = with_progress(at_endpoint(settings, endpoint, model), questions, filler)
    show(report, Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS))
    if figures is not None:
        figures.write_text(json.dumps(report.figures(), indent=2) + "\n")
    return 0


def with_progress(settings: Settings, questions: int | None, filler: int) -> Report:
    """Ask under a progress bar for each policy, on standard error. Of fewer questions each kind has its share."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def told(done: int, total: int, policy: str) -> None:
            if policy not in tasks:
                tasks[policy] = progress.add_task(policy, total=total)
            progress.update(tasks[policy], completed=done)

        by_turns = sorted(CASES, key=lambda case: [c for c in CASES if c.kind == case.kind].index(case))
        return measure(settings, by_turns[:questions], filler=filler, told=told)


def show(report: Report, console: Console) -> None:
    """Print what it came to, and the answers that were not right."""
    console.print(
        f"{report.model}: {len(report.write_back)} questions, {report.filler_turns} turns about other things before each."
    )
    console.print(table(report))
    wrong = [each for each in (*report.write_back, *report.write_through) if each.verdict != Verdict.right]
    for each in wrong[:SHOWN_ANSWERS]:
        words = one_line(each.answer, 50) or "(nothing)"
        console.print(f"{each.policy}, {each.case.name}: {each.verdict}, {words} (right: {each.case.values[-1]})")
    if len(wrong) > SHOWN_ANSWERS:
        console.print(f"and {len(wrong) - SHOWN_ANSWERS} more")


def table(report: Report) -> Table:
    """The accuracy of each policy."""
    shown = Table("answers", "write-back", "write-through", box=box.ASCII)
    both = (report.write_back, report.write_through)
    for verdict in Verdict:
        shown.add_row(verdict, *(str(verdicts(each)[verdict]) for each in both))
    shown.add_row("accuracy (95 % interval)", *(interval_words(accuracy(each)) for each in both))
    for kind in Kind:
        cells = [of_kind(each, kind) for each in both]
        if cells[0]:
            shown.add_row(f"  {kind}", *map(right_of, cells))
    shown.add_row("difference (95 % interval)", interval_words(report.difference, signed=True), "")
    back_only, through_only = report.right_under_one
    shown.add_row("right under this policy only", str(back_only), str(through_only))
    renewed = sum(each.renewed for each in report.write_back)
    shown.add_row("snapshot rendered anew before the question", str(renewed), "always")
    return shown


def right_of(answered: list[Answered]) -> str:
    """How many of some answers were right."""
    return f"{verdicts(answered)[Verdict.right]} of {len(answered)}"


def interval_words(interval: Interval, *, signed: bool = False) -> str:
    """A share and its interval in percent."""
    sign = "+" if signed else ""
    return f"{interval.value:{sign}.1%} ({interval.low:{sign}.1%} to {interval.high:{sign}.1%})"
