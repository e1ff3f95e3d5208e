"""The chat on a terminal: finished Markdown goes to the scrollback, the unfinished block stays above the input line."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable
from typing import ClassVar

from prompt_toolkit.application import get_app
from prompt_toolkit.application.run_in_terminal import in_terminal
from prompt_toolkit.utils import get_cwidth
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import Heading, Markdown, MarkdownElement
from rich.text import Text

from pagemind.cli.editor import edit_text
from pagemind.cli.lines import Line, error_words, line_of
from pagemind.cli.markdown import BlockSplitter
from pagemind.cli.text import one_line, safe_text
from pagemind.errors import PagemindError
from pagemind.events import CallStarted, Event, ReasoningDelta, Replied, RunEnded, StepStarted, TextDelta

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class LeftHeading(Heading):
    """A heading without rich's box and centring."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The heading's text, to the left."""
        self.text.justify = "left"
        yield self.text


class ReplyMarkdown(Markdown):
    """Markdown of an untrusted text: no terminal links, plain headings."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "heading_open": LeftHeading}

    def __init__(self, text: str) -> None:
        super().__init__(safe_text(text), hyperlinks=False, code_theme="ansi_dark")


class TerminalScreen:
    """Prints above the running prompt_toolkit application and keeps what its live area shows."""

    keys = (
        "Enter sends · Ctrl+J or Alt+Enter: new line · Ctrl+C cancels the run, clears the input, leaves · "
        "Ctrl+R searches the history · Ctrl+D leaves"
    )

    def __init__(self, *, color_system: str | None) -> None:
        self.coloured = color_system is not None
        self.activity = ""
        self.since = time.monotonic()
        self._color_system = color_system
        self._splitter = BlockSplitter()
        self._streamed = False
        self._terminal = asyncio.Lock()

    async def show(self, what: RenderableType) -> None:
        """Print into the scrollback."""
        await self._print(what)

    async def error(self, error: PagemindError) -> None:
        """Print the error in red."""
        await self._print(Text(safe_text(error_words(error.as_dict())), style="red"))

    async def edit(self, text: str) -> str | None:
        """Give the terminal to the person's editor."""
        async with self._terminal, in_terminal():
            return await edit_text(text)

    async def event(self, event: Event) -> None:
        """Stream the reply's Markdown block by block; one line for everything else."""
        match event:
            case TextDelta(text=text):
                self._streamed = True
                self.doing("writing")
                await self._blocks(self._splitter.feed(text))
            case ReasoningDelta():
                self.doing("thinking")
            case CallStarted(name=name):
                self.doing(f"calling {one_line(name, 40)}")
            case StepStarted():
                self.doing("thinking")
            case Replied(text=text):
                blocks = [] if self._streamed else self._splitter.feed(text)
                await self._blocks([*blocks, *self._splitter.finish()])
                self._streamed = False
            case _:
                await self._flush_then(line_of(event))
                if isinstance(event, RunEnded):
                    self.doing("")
        get_app().invalidate()

    def doing(self, what: str) -> None:
        """Say in the live area what goes on, with the time since; nothing where ``what`` is empty."""
        if what != self.activity:
            self.activity, self.since = what, time.monotonic()

    def live_lines(self, columns: int, rows: int) -> list[str]:
        """The end of the unfinished block, wrapped to ``columns``, at most ``rows`` lines."""
        return tail(safe_text(self._splitter.rest).rstrip("\n"), columns, rows)

    def activity_line(self) -> str:
        """A spinner with what goes on and for how long; empty where nothing does."""
        if not self.activity:
            return ""
        seconds = time.monotonic() - self.since
        return f"{SPINNER[int(seconds * 8) % len(SPINNER)]} {self.activity}" + (f" {seconds:.0f} s" if seconds >= 1 else "")

    async def _blocks(self, blocks: list[str]) -> None:
        shown = [ReplyMarkdown(block) for block in blocks if block.strip()]
        for block in shown:
            await self._print(block, Text(""))

    async def _flush_then(self, line: Line | None) -> None:
        """Print the line; a reply that was cut off before it (a retry, a failure) is not lost from the screen."""
        if line is None:
            return
        await self._blocks(self._splitter.finish())
        self._streamed = False
        await self._print(Text(f"{line.mark} {line.text}", style=line.style))

    async def _print(self, *what: RenderableType) -> None:
        # Not run_in_terminal: it puts the terminal into cooked mode meanwhile, in which a typed Enter or Ctrl+D is lost.
        async with self._terminal:
            app = get_app()
            words = self.render(app.output.get_size().columns, *what)
            app.renderer.erase()
            app.output.write_raw(words)
            app.output.flush()
            app.renderer.request_absolute_cursor_position()
            app.invalidate()

    def render(self, columns: int, *what: RenderableType) -> str:
        """The renderables as terminal text, lines ended by CR LF, without blanks at their ends."""
        console = Console(
            file=io.StringIO(),
            width=columns,
            force_terminal=True,
            color_system=self._color_system,  # pyright: ignore[reportArgumentType] - as rich itself detected it
            no_color=not self.coloured,
            legacy_windows=False,
            markup=False,
            highlight=False,
            emoji=False,
        )
        with console.capture() as captured:
            for one in what:
                console.print(one)
        return captured.get().replace("\n", "\r\n")


def tail(text: str, columns: int, rows: int) -> list[str]:
    """The last ``rows`` lines of the text when it is wrapped to ``columns`` cells."""
    lines: list[str] = []
    for line in text.expandtabs(4).split("\n")[-rows:] if text else []:
        lines += _wrapped(line, max(1, columns))
    return lines[-rows:]


def _wrapped(line: str, columns: int, width: Callable[[str], int] = get_cwidth) -> list[str]:
    lines, used = [""], 0
    for character in line:
        cells = width(character)
        if used + cells > columns:
            lines.append("")
            used = 0
        lines[-1] += character
        used += cells
    return lines
