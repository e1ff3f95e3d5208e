"""``pagemind embedder compare``: what another model would find, as a table with the queries that differ most first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from pagemind.cli import views
from pagemind.cli.embedder_views import bar
from pagemind.cli.output import print_json, printer
from pagemind.cli.text import counted, one_line, safe_text
from pagemind.engine.comparison import Compared, Comparison
from pagemind.engine.comparison import compare as compare_models
from pagemind.engine.runtime import Runtime
from pagemind.errors import UsageError
from pagemind.memory.overlap import BEST, Mean
from pagemind.settings import Settings

FILE_LIMIT_BYTES = 10_000_000
MOST_QUERIES = 10_000
MOST_LINES = 25
GOOD, BAD = 0.8, 0.5


class BadQueries(UsageError):
    """The file of queries cannot be used. Fix: give a text file in UTF-8, up to 10 MB, a query a line, 10,000 at most."""

    code = "bad_queries"


async def compare(settings: Settings, *, model: str | None, queries: Path | None, last: int, as_json: bool) -> None:
    """Compare and print."""
    given = read_queries(queries) if queries else []
    async with await Runtime.open(settings, work=False) as runtime:
        with bar("queries") as (progress, task):
            found = await compare_models(
                runtime.kernel, model, given, last, lambda done, total: progress.update(task, completed=done, total=total)
            )
    if as_json:
        print_json(asdict(found))
        return
    console = printer()
    console.print(queries_table(found.queries[:MOST_LINES]))
    for line in summary(found):
        console.print(line)


def read_queries(file: Path) -> list[str]:
    """The lines of the file. BadQueries."""
    try:
        if file.stat().st_size > FILE_LIMIT_BYTES:
            raise BadQueries(f"{file} is larger")
        lines = [line.replace("\0", "") for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadQueries(f"{file}: {error}") from error
    if not lines or len(lines) > MOST_QUERIES:
        raise BadQueries(f"{file} has {len(lines):,} lines")
    return lines


def queries_table(compared: Sequence[Compared]) -> RenderableType:
    """The queries, each with its overlaps and what came first under either model where that differs."""
    rows: list[list[RenderableType]] = [
        [
            share(each.by_meaning), share(each.fused), Text(one_line(each.query, 60)), each.place,
            Text(one_line(each.before, 45)), Text("the same" if each.before == each.after else one_line(each.after, 45)),
        ]
        for each in compared
    ]  # fmt: skip
    return views.table("#meaning", "#fused", "query", "in", "first now", "first then", rows=rows)


def share(value: float) -> Text:
    """An overlap in its colour."""
    return Text(f"{value:.1f}", style="green" if value >= GOOD else "yellow" if value >= BAD else "red")


def summary(found: Comparison) -> list[Text]:
    """The means with their intervals, where the queries came from, and what to look at."""
    count = len(found.queries)
    came_from = {
        "searches": "the latest searches of the agents",
        "file": "the file, over all archives",
        "passages": "first sentences of the newest passages, since no agent has searched yet; each finds its own passage, "
        "which makes the overlap look better: a file of real queries (--queries FILE) tells more",
    }[found.source]
    lines = [
        Text(
            f"overlap@{BEST} by meaning alone {spoken(found.by_meaning)}, fused with words {spoken(found.fused)}", style="bold"
        ),
        Text(f"{count:,} queries: {came_from}."),
        Text(f"{safe_text(found.serving)} serves now; then {safe_text(found.model)}."),
    ]
    if shown := count - MOST_LINES if count > MOST_LINES else 0:
        lines.append(Text(f"Shown are the {MOST_LINES} that differ most; --json has the other {shown:,}.", style="dim"))
    if small := sum(not each.choice for each in found.queries):
        lines.append(
            Text(f"{small:,} of them had {BEST} texts or fewer to choose from: their overlap says little.", style="yellow")
        )
    if found.lacking:
        lines.append(Text(f"{counted(found.lacking, 'text')} lack a vector by the new model: add it first.", style="yellow"))
    lines.append(Text(advice(found)))
    return lines


def spoken(mean: Mean) -> str:
    """A mean with its interval."""
    return f"{mean.value:.2f} (95 % within {mean.low:.2f} to {mean.high:.2f})"


def advice(found: Comparison) -> str:
    """What to look at. Overlap says how much changes, not which model is better."""
    worst = "read the queries at the top: which of the two texts answers better?"
    if found.fused.value >= GOOD:
        return f"Little changes for searches. Overlap says how much changes, not what is better: {worst}"
    if found.fused.value >= BAD:
        return f"About half of what is found changes. Overlap does not say what is better: {worst}"
    return f"Most of what is found changes: do not switch unread; {worst}"
