"""The tables of ``pagemind bench-retrieval``: each figure beside its target, coloured by whether that is reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from pagemind.testing.locomo.talk import ASKED_CATEGORIES
from pagemind.testing.measure.retrieval import loading, nearest
from pagemind.testing.measure.retrieval.ablation import Without
from pagemind.testing.measure.retrieval.found import AT
from pagemind.testing.measure.retrieval.intervals import Interval
from pagemind.testing.measure.retrieval.recall import MULTI_HOP_GAIN, TARGETS, Recall, RecallFigures
from pagemind.testing.measure.retrieval.report import Report
from pagemind.testing.measure.retrieval.searches import TARGETS_MS

Row = tuple[str, str | Text, str]


def recall_tables(figures: RecallFigures) -> list[Table]:
    """Recall of the search and of the baselines; by category and conversation; without each ingredient."""
    tables = [whole_table(figures), parts_table(figures)]
    return [*tables, ablation_table(figures.ablation)] if figures.ablation else tables


def whole_table(figures: RecallFigures) -> Table:
    """The search beside the baselines."""
    columns = [f"@{depth}" for depth in AT]
    shown = Table("ranking", "questions", *columns, title="Evidence recall", title_justify="left")
    own = [reached(ranged(each), each.value >= TARGETS[depth]) for depth, each in figures.whole.at.items()]
    shown.add_row("the runtime's search", str(figures.whole.questions), *own)
    shown.add_row("  to reach", "", *(f"{TARGETS[depth]:.2f}" for depth in AT))
    for name, recall in figures.baselines.items():
        shown.add_row(name, str(recall.questions), *map(ranged, recall.at.values()))
    return shown


def parts_table(figures: RecallFigures) -> Table:
    """The search by category, beside vectors alone, and by conversation."""
    shown = Table("questions", "n", *(f"@{depth}" for depth in AT), "vectors only @10", title="By kind", title_justify="left")
    vectors = next(iter(figures.baselines_by_category.values()))
    for number, recall in figures.by_category.items():
        cells = (str(recall.questions), *map(ranged, recall.at.values()), ranged(vectors[number].at[10]))
        shown.add_row(f"{number} {ASKED_CATEGORIES[number]}", *cells)
    gain = figures.multi_hop_gain
    if gain is not None:
        label = f"multi-hop over vectors only @10, to reach {MULTI_HOP_GAIN:.2f}"
        shown.add_row(label, "", "", reached(ranged(gain), gain.value >= MULTI_HOP_GAIN), "", "")
    shown.add_section()
    for name, recall in figures.by_conversation.items():
        shown.add_row(f"conversation {name}", *recall_cells(recall), "")
    return shown


def recall_cells(recall: Recall) -> list[str]:
    """How many questions, and recall at each depth."""
    return [str(recall.questions), *map(ranged, recall.at.values())]


def ablation_table(ablation: Mapping[str, Without]) -> Table:
    """What each ingredient adds."""
    columns = [f"adds @{depth}" for depth in AT]
    shown = Table("left out", "recall @10", *columns, title="What each ingredient adds", title_justify="left")
    for name, without in ablation.items():
        shown.add_row(name, f"{without.recall[10]:.3f}", *map(added, without.adds.values()))
    return shown


def speed_table(report: Report) -> Table:
    """Times, throughput and size."""
    shown = Table("figure", "value", "to reach", title="Archives (medians)", title_justify="left")
    for rows in (search_rows(report), nearest_rows(report.nearest), loading_rows(report), size_rows(report)):
        for row in rows:
            shown.add_row(*row)
        shown.add_section()
    return shown


def search_rows(report: Report) -> Iterator[Row]:
    """Searches by the size of the archive."""
    for each in report.searches:
        target = TARGETS_MS.get(each.passages) if each.archives == 1 else None
        spent = f"{each.p50_ms:.1f} ms, 95 % within {each.p95_ms:.1f} ms; {each.embedding_share:.0%} of it the embedding"
        value = reached(spent, each.p50_ms <= target) if target else spent
        yield f"a search among {each.name}", value, f"{target:.0f} ms" if target else ""


def nearest_rows(figures: Sequence[nearest.Nearest]) -> Iterator[Row]:
    """Recall against the exact nearest."""
    for each in figures:
        found = f"{each.recall:.3f}; {each.p50_ms:.1f} ms, 95 % within {each.p95_ms:.1f} ms"
        label = f"the ten nearest of {each.passages:,}, filter {each.share:.1%} ({each.left:,})"
        yield label, reached(found, each.recall >= nearest.TARGET), f"{nearest.TARGET:.2f}"


def loading_rows(report: Report) -> Iterator[Row]:
    """Bulk insert."""
    figures = report.loading
    if figures is None:
        return
    words = f"{figures.imported_per_second:,.0f} passages/s, {figures.ratio:.0%} of {figures.embedded_per_second:,.0f} texts/s"
    yield "imported with vectors, of the embedder alone", reached(words, figures.ratio >= loading.TARGET), "90 %"


def size_rows(report: Report) -> Iterator[Row]:
    """Disk and memory."""
    for name, each in report.sizes.items():
        parts = ", ".join(f"{part} {value:,.0f}" for part, value in each.disk.items())
        yield f"disk of a passage: {name}", f"{each.disk_bytes:,.0f} bytes ({parts})", ""
        yield "  survey and indexes", f"{each.settling_seconds:.1f} s", ""
        if each.postgres_mib is not None and each.runtime_mib is not None:
            held = f"{each.postgres_mib:,.0f} MiB PostgreSQL, {each.runtime_mib:,.0f} MiB runtime and measurement"
            yield "  memory after it", held, ""


def ranged(each: Interval) -> str:
    """A value with its interval."""
    return f"{each.value:.3f} ({each.low:.3f}-{each.high:.3f})"


def added(each: Interval) -> Text:
    """A difference with its interval, coloured where 0 lies outside of it."""
    style = "green" if each.low > 0 else "red" if each.high < 0 else ""
    return Text(f"{each.value:+.3f} ({each.low:+.3f} to {each.high:+.3f})", style=style)


def reached(words: str, is_reached: bool) -> Text:
    """The words, coloured by whether the target is reached."""
    return Text(words, style="green" if is_reached else "yellow")
