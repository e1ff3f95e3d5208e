"""Chunks: a document cut into pieces that are found one by one. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

HEADING = re.compile(r"#{1,6}\s+(\S.*)")
HEADING_CHARS = 200
CHARS_PER_TOKEN = 4
TOKENS = 240
OVERLAP_TOKENS = 30
MOST_CHARS_PER_TOKEN = 16
"""What has more of them, such as a coded picture, is one unknown word to some tokenizers: by its tokens it would never end."""
LINES_AT_ONCE = 512

Count = Callable[[Sequence[str]], Sequence[float]]
"""How many tokens each of the texts takes. Of the parts of a text it counts at least as many as of the whole."""


def estimated(texts: Sequence[str]) -> list[float]:
    """The tokens of each text, by the rule of thumb of four characters a token."""
    return [len(text) / CHARS_PER_TOKEN for text in texts]


@dataclass(frozen=True)
class Chunk:
    """A piece: its text, the lines it came from (from 1), and the heading it stands under."""

    text: str
    first_line: int
    last_line: int
    heading: str = ""


@dataclass(frozen=True)
class Line:
    """A line of a document, or a part of one: its number, its text, its tokens with the line's end."""

    number: int
    text: str
    tokens: float


def chunks_of(
    text: str, *, tokens: int = TOKENS, overlap_tokens: int = OVERLAP_TOKENS, count: Count = estimated
) -> Iterator[Chunk]:
    """The text in pieces of at most so many tokens, which end at headings, paragraphs or lines where they can.

    Pieces of one section overlap by its last lines, so that what stands across a border is found. A line that is longer than
    a piece is cut at spaces.
    """
    overlap = min(overlap_tokens, tokens // 2)
    for heading, section in sections(measured(text, tokens, count)):
        yield from packed(heading, section, tokens, overlap)


def measured(text: str, most: int, count: Count) -> Iterator[Line]:
    """The lines, measured many at a time; those of more than ``most`` tokens in parts."""
    numbered = enumerate(text.split("\n"), start=1)
    while some := [each for each, _ in zip(numbered, range(LINES_AT_ONCE), strict=False)]:
        for (number, line), tokens in zip(some, costs([line for _, line in some], count), strict=True):
            if tokens <= most:
                yield Line(number, line, tokens)
            else:
                yield from (Line(number, part, cost) for part, cost in cut(line, tokens, most, count))


def costs(lines: Sequence[str], count: Count) -> list[float]:
    """The tokens of each line with its end."""
    counted = count([f"{line}\n" for line in lines])
    return [max(tokens, len(line) / MOST_CHARS_PER_TOKEN) for line, tokens in zip(lines, counted, strict=True)]


def cut(line: str, tokens: float, most: int, count: Count) -> Iterator[tuple[str, float]]:
    """The line in parts of at most ``most`` tokens, at spaces where it has them, with the tokens of each."""
    if tokens <= most or len(line) < 2:
        yield line, tokens
        return
    # As many characters as should fit, and less where that still was too much: letters are not alike in tokens.
    parts = list(sliced(line, max(1, min(len(line) // 2, int(len(line) * most / tokens)))))
    for part, cost in zip(parts, costs(parts, count), strict=True):
        yield from cut(part, cost, most, count)


def sliced(line: str, most: int) -> Iterator[str]:
    """The line in parts of at most so many characters, each ending behind a space where its second half has one."""
    start = 0
    while len(line) - start > most:
        end = line.rfind(" ", start + most // 2, start + most) + 1 or start + most
        yield line[start:end]
        start = end
    yield line[start:]


def sections(lines: Iterator[Line]) -> Iterator[tuple[str, list[Line]]]:
    """The lines by the Markdown heading that they stand under, which is the first of them."""
    heading, section, fenced = "", list[Line](), False
    for line in lines:
        fenced ^= line.text.lstrip().startswith("```")
        found = None if fenced else HEADING.fullmatch(line.text.rstrip())
        if found:
            if section:
                yield heading, section
            heading, section = found[1][:HEADING_CHARS], []
        section.append(line)
    if section:
        yield heading, section


def packed(heading: str, lines: Sequence[Line], most: int, overlap: int) -> Iterator[Chunk]:
    """The lines of a section put together: a piece ends where it is full, better at a paragraph's end than within one."""
    start = 0
    while start < len(lines):
        end = full(lines, start, most)
        if end < len(lines):
            end = paragraph_end(lines, start, end)
        text = "\n".join(line.text for line in lines[start:end]).strip("\n")
        if text.strip():
            yield Chunk(text, lines[start].number, lines[end - 1].number, heading)
        start = end if end >= len(lines) else max(start + 1, behind(lines, start, end, overlap))


def full(lines: Sequence[Line], start: int, most: int) -> int:
    """Where a piece that begins at ``start`` is full; it takes one line at least."""
    tokens, end = 0.0, start
    while end < len(lines) and (end == start or tokens + lines[end].tokens <= most):
        tokens += lines[end].tokens
        end += 1
    return end


def paragraph_end(lines: Sequence[Line], start: int, end: int) -> int:
    """The last end of a paragraph in the second half of the piece; its end where there is none."""
    for at in range(end, start + (end - start) // 2, -1):
        if not lines[at - 1].text.strip():
            return at
    return end


def behind(lines: Sequence[Line], start: int, end: int, overlap: int) -> int:
    """Where the next piece begins: so many tokens before this one's end, at a line's beginning, never at this one's."""
    at, tokens = end, 0.0
    while at - 1 > start and tokens + lines[at - 1].tokens < overlap:
        at -= 1
        tokens += lines[at].tokens
    return at
