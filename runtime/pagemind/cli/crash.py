"""``pagemind crash``: kill workers at every fault point, and count the broken promises."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pagemind.faults import POINTS
from pagemind.testing.crash.harness import Report, Trial, run


def crash(*, trials: int, first_visits: bool, seed: int, figures: Path | None) -> int:
    """Run the harness, print its table, write its figures; the exit status: 1 if anything was broken."""
    console = Console()
    report = with_progress(trials, first_visits, seed, console)
    console.print(table(report))
    for trial in report.trials:
        for sentence in trial.broken:
            console.print(f"[red]{' then '.join(map(str, trial.deaths))}[/red]: {sentence}")
    if figures is not None:
        figures.write_text(json.dumps(report.figures(), indent=2) + "\n")
    return 0 if report.passed else 1


def with_progress(trials: int, first_visits: bool, seed: int, console: Console) -> Report:
    """Run the harness under a progress bar. The bar has no thread of its own: the workers are forked."""
    columns = (TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    progress = Progress(*columns, console=console, auto_refresh=False)
    bar = progress.add_task("", total=None)

    def told(trial: Trial, number: int, total: int) -> None:
        deaths = " then ".join(map(str, trial.deaths))
        progress.update(bar, completed=number, total=total, description=deaths)
        progress.refresh()

    report = run(trials, first_visits=first_visits, seed=seed, told=told)
    progress.stop()
    return report


def table(report: Report) -> Table:
    """The figures for people."""
    shown = Table("figure", "value", title="Crash trials")
    shown.add_row("fault points hit", f"{len(report.hit)} of {len(POINTS)}")
    shown.add_row("trials", str(len(report.trials)))
    shown.add_row("trials with a broken promise", str(report.violations))
    shown.add_row("control: broken variant caught", f"{report.control_violations} of {len(report.control)}")
    return shown
