"""``pagemind db reembed``: embed everything by the configured model, under a progress bar."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pagemind.cli.output import printer
from pagemind.engine.reembed import reembed
from pagemind.settings import Settings


async def reembed_all(settings: Settings) -> None:
    """Embed every passage and message by the configured embedder, then let it serve."""
    columns = (TextColumn("texts"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=None)
        done = await reembed(settings, lambda done, total: progress.update(bar, completed=done, total=total))
    printer().print(f"{done} texts embedded by {settings.embedder}, which serves now.")
