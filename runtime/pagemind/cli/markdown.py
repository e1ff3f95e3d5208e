"""Cuts a Markdown text that is still being written into its finished blocks and the unfinished rest."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<mark>`{3,}(?=[^`]*$)|~{3,})")
_LIST_ITEM = re.compile(r"^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")
_HEADING = re.compile(r"^ {0,3}#{1,6}(?:[ \t]|$)")


class BlockSplitter:
    """Takes text as it streams and gives back whole blocks: paragraphs, fenced code, lists, tables, headings.

    No character is lost or changed: the blocks given back, in order, and ``rest`` are the text that was fed. A fence is never
    cut, nor is a list with blank lines in it; how the text was cut into pieces on its way here makes no difference.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._partial = ""
        self._fence = ""
        self._list = False
        self._blank = False

    @property
    def rest(self) -> str:
        """What was fed and belongs to a block that is not finished yet."""
        return "".join(self._lines) + self._partial

    def feed(self, text: str) -> list[str]:
        """Take the next piece; the blocks that it finished, oldest first."""
        *whole, self._partial = (self._partial + text).split("\n")
        blocks: list[str] = []
        for line in whole:
            blocks += self._line(line + "\n")
        return blocks

    def finish(self) -> list[str]:
        """The text has ended: the rest, if there is any, as the last block; then the splitter is as new."""
        self._lines.append(self._partial)
        self._partial, self._fence = "", ""
        return [block for block in self._cut() if block]

    def _line(self, line: str) -> list[str]:
        if self._fence:
            return self._fenced(line)
        if not line.strip():
            return self._blank_line(line)
        finished = self._cut() if self._begins_block(line) else []
        self._blank = False
        fence = self._opening_fence(line)
        self._list = self._list or _LIST_ITEM.match(line) is not None
        self._lines.append(line)
        if fence:
            self._fence = fence
        elif _HEADING.match(line) and not self._list:
            finished += self._cut()
        return finished

    def _fenced(self, line: str) -> list[str]:
        self._lines.append(line)
        mark = line.strip()
        if len(mark) < len(self._fence) or set(mark) != {self._fence[0]}:
            return []
        self._fence = ""
        return [] if self._list else self._cut()

    def _blank_line(self, line: str) -> list[str]:
        self._lines.append(line)
        self._blank = True
        has_text = any(known.strip() for known in self._lines)
        return self._cut() if has_text and not self._list else []

    def _begins_block(self, line: str) -> bool:
        """Whether the line cannot belong to what stands unfinished before it."""
        if not any(known.strip() for known in self._lines):
            return False  # blank lines at the front go with the block that follows them
        if self._list:
            indented = line[0] in " \t"
            return not indented and not _LIST_ITEM.match(line) and (self._blank or bool(_HEADING.match(line)))
        return bool(self._opening_fence(line) or _HEADING.match(line))

    def _opening_fence(self, line: str) -> str:
        found = _FENCE.match(line.rstrip("\n"))
        if found is None or (len(found["indent"].expandtabs(4)) > 3 and not self._list):
            return ""
        return found["mark"]

    def _cut(self) -> list[str]:
        block = "".join(self._lines)
        self._lines, self._list, self._blank = [], False, False
        return [block] if block else []
