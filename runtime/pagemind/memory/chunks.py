"""Chunks: a document cut into pieces that are found one by one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

HEADING = re.compile(r"#{1,6}\s+(\S.*)")
CHARS_PER_TOKEN = 4


@dataclass(frozen=True)
class Chunk:
    """A piece: its text, the lines it came from (from 1), and the heading it stands under."""

    text: str
    first_line: int
    last_line: int
    heading: str = ""


def chunks_of(text: str, *, tokens: int = 240, overlap_tokens: int = 30) -> Iterator[Chunk]:
    """The text in pieces of at most about so many tokens, which end at headings, paragraphs or lines where they can.

    Pieces of one section overlap by its last lines, so that what stands across a border is found. A line that is longer than
    a piece is cut at spaces.
    """
    most, overlap = tokens * CHARS_PER_TOKEN, overlap_tokens * CHARS_PER_TOKEN
    for heading, section in sections(text):
        yield from packed(heading, [part for line in section for part in cut(line, most)], most, overlap)


Line = tuple[int, str]
"""Its number, and its text."""


def sections(text: str) -> Iterator[tuple[str, list[Line]]]:
    """The lines by the Markdown heading that they stand under, which is the first of them."""
    heading, section, fenced = "", list[Line](), False
    for number, line in enumerate(text.split("\n"), start=1):
        fenced ^= line.lstrip().startswith("```")
        found = None if fenced else HEADING.fullmatch(line.rstrip())
        if found:
            if section:
                yield heading, section
            heading, section = found[1][:200], []
        section.append((number, line))
    if section:
        yield heading, section


def cut(line: Line, most: int) -> Iterator[Line]:
    """The line, in parts where it is longer than ``most`` characters."""
    number, rest = line
    while len(rest) > most:
        at = rest.rfind(" ", most // 2, most) + 1 or most
        yield number, rest[:at]
        rest = rest[at:]
    yield number, rest


def packed(heading: str, lines: Sequence[Line], most: int, overlap: int) -> Iterator[Chunk]:
    """The lines of a section put together: a piece ends where it is full, better at a paragraph's end than within one."""
    start = 0
    while start < len(lines):
        end = full(lines, start, most)
        if end < len(lines):
            end = paragraph_end(lines, start, end)
        text = "\n".join(line for _, line in lines[start:end]).strip("\n")
        if text.strip():
            yield Chunk(text, lines[start][0], lines[end - 1][0], heading)
        start = end if end >= len(lines) else max(start + 1, behind(lines, start, end, overlap))


def full(lines: Sequence[Line], start: int, most: int) -> int:
    """Where a piece that begins at ``start`` is full; it takes one line at least."""
    length, end = 0, start
    while end < len(lines) and (end == start or length + len(lines[end][1]) < most):
        length += len(lines[end][1]) + 1
        end += 1
    return end


def paragraph_end(lines: Sequence[Line], start: int, end: int) -> int:
    """The last end of a paragraph in the second half of the piece; its end where there is none."""
    for at in range(end, start + (end - start) // 2, -1):
        if not lines[at - 1][1].strip():
            return at
    return end


def behind(lines: Sequence[Line], start: int, end: int, overlap: int) -> int:
    """Where the next piece begins: so many characters before this one's end, at a line's beginning, never at this one's."""
    at, length = end, 0
    while at - 1 > start and length + len(lines[at - 1][1]) < overlap:
        at -= 1
        length += len(lines[at][1]) + 1
    return at
