"""``pagemind embedder list|add|switch|remove``: what they do."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from pagemind.cli import views
from pagemind.cli.output import print_json, printer
from pagemind.cli.text import counted, safe_text
from pagemind.engine import swap
from pagemind.engine.embedders import full_name
from pagemind.engine.swap import Standing
from pagemind.settings import Settings
from pagemind.store.database import Database

STYLES = {"serving": "bold green", "ready": "green", "adding": "yellow", "retired": "dim"}


async def show(settings: Settings, *, as_json: bool) -> None:
    """Print the models."""
    async with Database.opened(settings) as database:
        found = await swap.standings(database)
    configured = full_name(settings.embedder)
    if as_json:
        print_json({"configured": configured, "models": [asdict(each) for each in found]})
        return
    console = printer()
    console.print(models_table(found) if found else Text("There are no vectors yet."))
    serving = next((each.model for each in found if each.state == "serving"), None)
    if serving is None:
        console.print(Text(f"The first vectors will be made by {safe_text(configured)}, which is configured."))
    elif "embedder" in settings.model_fields_set and serving not in (settings.embedder, configured):
        told = f"PAGEMIND_EMBEDDER names {safe_text(configured)}, which does not serve: `pagemind embedder add` changes over."
        console.print(Text(told, style="yellow"))


def models_table(found: list[Standing]) -> RenderableType:
    """The models, each with how far it is."""
    rows: list[list[RenderableType]] = []
    for each in found:
        done = each.texts - each.lacking
        notes = [f"refuses {counted(each.refused, 'text')}"] if each.refused else []
        notes += ["an `add` is at it"] if each.held else []
        notes += [safe_text(each.url)] if each.url else []
        rows.append([
            Text(safe_text(each.model), style=STYLES[each.state]), Text(each.state, style=STYLES[each.state]),
            f"{done:,} of {each.texts:,}", f"{each.dimensions:,}", size(each.bytes), views.moment(each.added_at),
            Text(", ".join(notes)),
        ])  # fmt: skip
    return views.table("model", "state", "#texts with a vector", "#dimensions", "#vectors", "added", "", rows=rows)


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count:,} B"


async def add(settings: Settings, *, model: str, url: str | None, background: bool, as_json: bool) -> None:
    """Lay the model's vectors under a progress bar, or leave that to the server."""
    async with Database.opened(settings) as database:
        with bar("texts") as (progress, task):
            try:
                adding = swap.add(
                    database,
                    settings,
                    model,
                    url=url,
                    background=background,
                    told=lambda done, total: progress.update(task, completed=done, total=total),
                )
                added = await adding
            except asyncio.CancelledError:
                progress.console.print("Stopped. What is done stays done: the same command goes on, and so does a server.")
                raise
    if as_json:
        print_json(asdict(added))
        return
    console, name = printer(), safe_text(added.model)
    if background:
        console.print(f"{name} is being added by the server or chat that runs; `pagemind embedder list` shows how far it is.")
        return
    console.print(f"{counted(added.embedded, 'text')} embedded by {name}; the model before still serves.")
    if added.refused:
        console.print(f"It refused {counted(added.refused, 'text')}, which only words will find; each is tried again later.")
    console.print(f"Next: `pagemind embedder compare {name}`, then `pagemind embedder switch {name}`.")


async def switch(settings: Settings, *, model: str | None, as_json: bool) -> None:
    """Let the model serve."""
    async with Database.opened(settings) as database:
        before, serving = await swap.switch(database, settings, model)
    if as_json:
        print_json({"before": before, "serving": serving})
        return
    console = printer()
    console.print(f"{safe_text(serving)} serves. A server that runs follows within seconds.")
    if before is not None:
        old = safe_text(before)
        console.print(f"Back: `pagemind embedder switch {old}`. Its vectors stay until `pagemind embedder remove {old}`.")
    if "embedder" in settings.model_fields_set and full_name(settings.embedder) != serving:
        console.print("The store says which model serves: PAGEMIND_EMBEDDER is not needed any more and may go.")


async def remove(settings: Settings, *, model: str, as_json: bool) -> None:
    """Delete the model's vectors."""
    async with Database.opened(settings) as database:
        with bar("vectors") as (progress, task):
            gone = await swap.remove(database, model, lambda gone: progress.update(task, completed=gone))
    if as_json:
        print_json({"model": model, "removed": gone})
    else:
        printer().print(f"{counted(gone, 'vector')} of {safe_text(model)} removed.")


@contextmanager
def bar(what: str) -> Generator[tuple[Progress, TaskID]]:
    """A progress bar on standard error, with the time that is left."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress, progress.add_task("", total=None)
