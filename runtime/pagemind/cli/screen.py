"""Where a chat shows itself, and the plain one: words only, append-only."""

from __future__ import annotations

import sys
from typing import Protocol

from rich.console import Console, RenderableType

from pagemind.cli.editor import edit_text
from pagemind.cli.lines import Line, error_words, line_of
from pagemind.cli.output import PIPE_COLUMNS
from pagemind.cli.text import safe_text
from pagemind.errors import PagemindError
from pagemind.events import Event, Replied, RunEnded, TextDelta


class Screen(Protocol):
    """What a chat needs of the place where it is shown."""

    coloured: bool
    keys: str
    """The keys that do something here, in words; empty where there are none."""

    async def show(self, what: RenderableType) -> None:
        """Print something for good."""
        ...

    async def event(self, event: Event) -> None:
        """Show what a run just did."""
        ...

    async def error(self, error: PagemindError) -> None:
        """Show what went wrong; the chat goes on."""
        ...

    async def edit(self, text: str) -> str | None:
        """Let the person change the text in their editor; None where they left it as it was."""
        ...


class PlainScreen:
    """Append-only words on standard output: no boxes, no colour, nothing redrawn. Errors go to standard error."""

    coloured = False
    keys = ""

    def __init__(self) -> None:
        self._open_line = False
        self._streamed = False

    async def show(self, what: RenderableType) -> None:
        """Print a renderable without colour."""
        console = Console(markup=False, highlight=False, emoji=False, no_color=True, color_system=None, width=_columns())
        with console.capture() as captured:
            console.print(what)
        self._end_line()
        self._write("".join(line.rstrip() + "\n" for line in captured.get().splitlines()))

    async def event(self, event: Event) -> None:
        """Print words as they come, and a line for everything else."""
        match event:
            case TextDelta(text=text):
                self._streamed = True
                self._write(safe_text(text))
            case Replied(text=text):
                if not self._streamed:
                    self._write(safe_text(text))
                self._end_line()
                self._streamed = False
            case RunEnded(error=dict() as error):
                self._end_line()
                self._streamed = False
                print(safe_text(error_words(error)), file=sys.stderr, flush=True)
            case _:
                self._line(line_of(event))

    async def error(self, error: PagemindError) -> None:
        """Print the error on standard error."""
        self._end_line()
        print(safe_text(error_words(error.as_dict())), file=sys.stderr, flush=True)

    async def edit(self, text: str) -> str | None:
        """Open the editor on the terminal. UsageError where there is none."""
        self._end_line()
        return await edit_text(text)

    def _line(self, line: Line | None) -> None:
        if line is None:
            return
        self._end_line()
        self._streamed = False
        self._write(f"{line.plain_mark} {line.text}\n")

    def _end_line(self) -> None:
        if self._open_line:
            self._write("\n")

    def _write(self, text: str) -> None:
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()
            self._open_line = not text.endswith("\n")


def _columns() -> int | None:
    return None if sys.stdout.isatty() else PIPE_COLUMNS
