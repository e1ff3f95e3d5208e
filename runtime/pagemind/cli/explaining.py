"""Why a search found what it found: each arm's place and score, what they were multiplied by, trust, and what came near."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pagemind.cli.text import one_line, safe_text
from pagemind.cli.views import figure, moment
from pagemind.events import ToolReturned
from pagemind.memory.telling import told
from pagemind.records import Json, MessageHit, PassageHit
from pagemind.records.search import Found

ARMS = {"words": "words", "vector": "meaning"}
"""The signals that have a place and a greatest value, and what people call them."""
BAR_CELLS = 8
EIGHTHS = " ▏▎▍▌▋▊▉█"
TEXT_CHARS = 300


def found_view(found: Found[PassageHit] | Found[MessageHit]) -> RenderableType:
    """A search's hits and why, what came near and why not, and how long it took."""
    hits, near = [told(hit) for hit in found.hits], [told(hit) for hit in found.near_misses]
    return explained(hits, near, [*found.notes, f"{found.seconds * 1000:.1f} ms"])


def searches_view(searches: Sequence[ToolReturned]) -> RenderableType:
    """The searches of a run and why each found what it did (``/why``)."""
    if not searches:
        return Text("The newest reply recalled nothing: it was made from what stands in the window.")
    parts: list[RenderableType] = []
    for each in searches:
        head = Text.assemble((safe_text(each.name), "bold"), f" {one_line(each.arguments, 200)}")
        parts += [head, explained(each.recalled, each.missed, each.notes), Text("")]
    return Group(*parts[:-1])


def explained(hits: Sequence[Json], near: Sequence[Json], notes: Iterable[str]) -> RenderableType:
    """The hits as a table, what came near below a line, and the notes; items as ``memory.telling`` has them."""
    greatest = {arm: max((_number(item, arm) for item in (*hits, *near)), default=0.0) for arm in ARMS}
    parts: list[RenderableType] = [_table(hits, greatest) if hits else Text("Nothing was found.")]
    if near:
        parts += [Text("── came near, and why they are not above ──", style="dim"), _table(near, greatest)]
    said = " · ".join(one_line(note, 120) for note in notes)
    return Group(*parts, Text(said, style="dim")) if said else Group(*parts)


def _table(items: Sequence[Json], greatest: dict[str, float]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("score", justify="right")
    table.add_column("found by", no_wrap=True)
    table.add_column("what it says", overflow="fold")
    for place, item in enumerate(items, start=1):
        missed = item.get("missed")
        table.add_row("–" if missed else str(place), figure(item.get("score")), _found_by(item, greatest), _said(item))
    return table


def _found_by(item: Json, greatest: dict[str, float]) -> Text:
    """A line for each arm with its place, a bar and its value, then what was added and what it was multiplied by."""
    scores: Json = item.get("scores") or {}
    boosts: Json = item.get("boosts") or {}
    lines: list[str] = []
    for arm, name in ARMS.items():
        if arm in scores:
            place = scores.get(f"{arm}_rank")
            shown = f"{int(place):>3}" if place is not None else "  –"
            lines.append(f"{name:<8}{shown} {bar(_number(item, arm), greatest[arm])} {figure(scores[arm])}")
    known = {*ARMS, *(f"{arm}_rank" for arm in ARMS)}
    lines += [f"{_words(name):<11} {_added(name, value)}" for name, value in scores.items() if name not in known]
    lines += [f"{_words(name):<11} ×{figure(value)}" for name, value in boosts.items()]
    return Text("\n".join(lines) or "by its place")


def _added(name: str, value: Any) -> str:
    return f"place {int(value)}" if name.endswith("rank") else f"+{figure(value)}"


def _said(item: Json) -> Text:
    """What it says; below, whence it is and how far it is trusted, and why it is no hit."""
    text = Text(one_line(str(item.get("text") or ""), TEXT_CHARS))
    text.append("\n" + " · ".join(_about(item)), "dim")
    if item.get("missed"):
        text.append(f"\n{one_line(str(item['missed']), 200)}", "yellow")
    return text


def _about(item: Json) -> list[str]:
    """Its kind, number or id, time, tags, source and trust."""
    at = [moment(datetime.fromisoformat(item["at"]))] if item.get("at") else []
    if item.get("kind") == "message":
        where = "resident" if item.get("resident") else "paged out"
        return [f"{one_line(str(item.get('id')), 20)} {one_line(str(item.get('role') or 'message'))}", *at, where]
    confidence = item.get("confidence")
    trust = str(item.get("origin") or "") + (f" {confidence:g}" if isinstance(confidence, int | float) else "")
    review = [f"review by {str(item['review_by'])[:10]}"] if item.get("review_by") else []
    tags = [f"tags: {one_line(', '.join(map(str, item['tags'])), 60)}"] if item.get("tags") else []
    source = [f"from {one_line(str(item['source']), 40)}"] if item.get("source") else []
    return [part for part in (str(item.get("id"))[:8], *at, trust, *review, *source, *tags) if part]


def bar(value: float, greatest: float) -> str:
    """The value as a bar of ``BAR_CELLS``, full at the greatest."""
    eighths = round(max(0.0, value) / greatest * BAR_CELLS * 8) if greatest > 0 else 0
    full, rest = divmod(min(eighths, BAR_CELLS * 8), 8)
    return ("█" * full + (EIGHTHS[rest] if rest else "")).ljust(BAR_CELLS)


def _number(item: Json, arm: str) -> float:
    scores: Json = item.get("scores") or {}
    value = scores.get(arm)
    return float(value) if isinstance(value, int | float) else 0.0


def _words(name: str) -> str:
    return safe_text(name).replace("_", " ")
