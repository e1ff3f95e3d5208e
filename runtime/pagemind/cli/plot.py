"""A plot for the terminal: one bar a column, in eighths of a line, or in plain ASCII."""

from __future__ import annotations

from collections.abc import Collection, Sequence

EIGHTHS = " ▁▂▃▄▅▆▇█"


def plot(
    values: Sequence[float],
    *,
    top: float,
    marks: Collection[int] = (),
    width: int = 80,
    height: int = 10,
    ascii_only: bool = False,
) -> list[str]:
    """The lines of a plot of ``values`` from 0 to ``top``, ``width`` columns at most; a column shows its highest value.

    ``marks`` are places among the values; they stand under their columns in a line of their own.
    """
    if not values or top <= 0:
        return []
    columns = min(width, len(values))
    place = [at * columns // len(values) for at in range(len(values))]
    highest = [0.0] * columns
    for column, value in zip(place, values, strict=True):
        highest[column] = max(highest[column], value)
    axis, corner, mark = ("|", "+", "^") if ascii_only else ("│", "└", "▲")
    gutter = len(f"{top:,.0f}")
    lines: list[str] = []
    for row in reversed(range(height)):
        label = f"{top * (row + 1) / height:,.0f}" if (height - 1 - row) % 3 == 0 else ""
        bars = "".join(cell(value / top * height - row, ascii_only=ascii_only) for value in highest)
        lines.append(f"{label:>{gutter}} {axis}{bars}".rstrip())
    lines.append(f"{0:>{gutter}} {corner}{('-' if ascii_only else '─') * columns}")
    marked = {place[at] for at in marks if 0 <= at < len(values)}
    if marked:
        under = "".join(mark if column in marked else " " for column in range(columns))
        lines.append(f"{'':>{gutter}}  {under}".rstrip())
    return lines


def cell(filled: float, *, ascii_only: bool) -> str:
    """One character of a bar that fills the share ``filled`` of it (below 0 nothing, above 1 all)."""
    if ascii_only:
        return "#" if filled >= 0.5 else " "
    return EIGHTHS[round(max(0.0, min(1.0, filled)) * 8)]
