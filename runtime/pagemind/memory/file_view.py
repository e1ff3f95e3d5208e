"""What of a file stands in a window, and the lines in it that match a pattern. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pagemind.records import FileView


def view_of(name: str, text: str, *, limit_chars: int, offset: int = 0, length: int | None = None) -> FileView:
    """The lines behind the first ``offset``, at most ``length``, each under its number, as far as ``limit_chars`` goes."""
    lines = lines_of(text)
    total = len(lines)
    shown = list[str]()
    used = 0
    wanted = lines[offset:] if length is None else lines[offset : offset + length]
    for number, line in enumerate(wanted, start=offset + 1):
        row = f"{number}: {line}"
        if used + len(row) > limit_chars:
            if not shown:
                shown.append(f"{row[:limit_chars]} [...]")
            break
        shown.append(row)
        used += len(row) + 1
    first, last = offset + 1, offset + len(shown)
    whole = last - first + 1 == total
    head = f"[all {total} lines]" if whole else f"[lines {first} to {last} of {total}]"
    return FileView(name, "\n".join([head, *shown]) if shown else "[empty]", first, last, total)


def lines_of(text: str) -> list[str]:
    """The lines; an end of line at the end begins no further one."""
    return text.removesuffix("\n").split("\n") if text else []


def numbered(lines: Sequence[str], first: int, last: int, matching: int, width: int) -> str:
    """Lines ``first`` to ``last`` under their numbers, the matching one marked, each cut at ``width`` characters."""
    rows = list[str]()
    for number in range(max(first, 1), min(last, len(lines)) + 1):
        line = lines[number - 1]
        mark = ">" if number == matching else " "
        rows.append(f"{mark} {number}: {line[:width]}{' [...]' if len(line) > width else ''}")
    return "\n".join(rows)
