"""The chat's prompt: an inline prompt_toolkit application that stays while runs go on and prints above itself."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit.application import Application
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import ConditionalContainer, Dimension, Float, FloatContainer, HSplit, Layout, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import SearchToolbar, TextArea
from rich.text import Text

from pagemind.cli import slash
from pagemind.cli.between import Between
from pagemind.cli.display import TerminalScreen
from pagemind.cli.session import Session
from pagemind.cli.status import status_fragments
from pagemind.cli.text import counted, one_line, safe_text
from pagemind.errors import PagemindError
from pagemind.events import Event, RunEnded
from pagemind.records.runs import Run

MENU_ROWS = 8
INPUT_ROWS = 10
TICK_SECONDS = 0.125
PROMPT = "› "

STYLE = Style.from_dict(
    {
        "prompt": "bold ansicyan",
        "activity": "ansibrightblack",
        "queued": "ansibrightblack italic",
        "status": "noreverse ansibrightblack",
        "status.agent": "bold",
        "status.warn": "ansiyellow",
        "meter.low": "ansigreen",
        "meter.mid": "ansiyellow",
        "meter.high": "ansired",
    }
)


class InputHistory(FileHistory):
    """What was typed, in a file that only its owner reads. A disk that is full costs the history, not the message."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        try:
            os.close(os.open(path, os.O_CREAT | os.O_APPEND, 0o600))
        except OSError:
            return

    def store_string(self, string: str) -> None:
        """Append the text, without what the file could not hold."""
        try:
            super().store_string(safe_text(string))
        except OSError:
            return


class SlashCompleter(Completer):
    """Completes ``/commands`` and the names after them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What may stand at the cursor."""
        for word, meaning, typed in slash.completions(self._session, document.text_before_cursor):
            yield Completion(word, start_position=-typed, display_meta=meaning)


class Repl:
    """One chat on one terminal. Two tasks beside the prompt: one takes what was typed, one follows the runs in order."""

    def __init__(self, session: Session, screen: TerminalScreen) -> None:
        self.session = session
        self.screen = screen
        self._typed: asyncio.Queue[str] = asyncio.Queue()
        self._runs: deque[tuple[Run, str]] = deque()
        self._accepted = asyncio.Event()
        self._current: Run | None = None
        self._cancelled: Run | None = None
        self._between = Between(session, self._heard)
        self._search = SearchToolbar()
        self.input = TextArea(
            prompt=[("class:prompt", PROMPT)],
            multiline=True,
            wrap_lines=True,
            dont_extend_height=True,
            completer=SlashCompleter(session),
            complete_while_typing=True,
            auto_suggest=AutoSuggestFromHistory(),
            history=InputHistory(session.runtime.settings.home / "history"),
            search_field=self._search,
            accept_handler=self._submit,
            height=self._input_height,
        )
        self.app: Application[int] = Application(
            layout=Layout(self._container(), focused_element=self.input),
            key_bindings=self._keys(),
            style=STYLE,
            erase_when_done=True,
            mouse_support=False,
        )

    async def run(self) -> int:
        """Chat until the person leaves; the exit status."""
        await self._take_up()
        await self._between.follow()
        tasks = [asyncio.create_task(work()) for work in (self._take_input, self._follow_runs, self._tick)]
        try:
            with patch_stdout(raw=True):
                return await self.app.run_async()
        finally:
            await self._between.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_up(self) -> None:
        """Follow what an earlier process left unfinished: a worker is at it already."""
        for run in await self.session.runtime.unfinished(self.session.conversation.id):
            self._runs.append((run, "(going on with a message that was not answered before)"))
            self._accepted.set()

    @property
    def busy(self) -> bool:
        """Whether a run goes on or waits."""
        return self._current is not None or bool(self._runs)

    # --- what is typed -------------------------------------------------------------------------------------------------

    def _submit(self, buffer: Buffer) -> bool:
        if buffer.text.strip():
            self._typed.put_nowait(buffer.text)
        return False

    async def _take_input(self) -> None:
        while True:
            text = await self._typed.get()
            try:
                if text.startswith("/"):
                    await self.screen.show(Text(safe_text(text), style="dim"))
                if await slash.dispatch(self.session, self.screen, text):
                    await self._between.follow()
                else:
                    self._runs.append((await self.session.accept(text), text))
                    self._accepted.set()
            except slash.Leave:
                self._leave()
            except PagemindError as error:
                await self.screen.error(error)
                self._give_back(text)
            self.app.invalidate()

    def _give_back(self, text: str) -> None:
        """What could not be sent goes back into the input line, unless something is there by now."""
        if not self.input.text:
            self.input.text = text
            self.input.buffer.cursor_position = len(text)

    # --- what the runs do ----------------------------------------------------------------------------------------------

    async def _follow_runs(self) -> None:
        while True:
            await self._accepted.wait()
            self._accepted.clear()
            while self._runs:
                self._current, text = self._runs.popleft()
                await self.screen.show(Text(f"{PROMPT}{safe_text(text)}", style="bold"))
                try:
                    await self._follow(self._current)
                    await self.session.refresh()
                except PagemindError as error:
                    await self.screen.error(error)
                self._current = None
                self.screen.doing("")
                self.app.invalidate()

    async def _follow(self, run: Run) -> None:
        self.screen.doing("waiting")
        async for event in self.session.runtime.follow(run.id):
            self.session.meter.watch(event)
            await self.screen.event(event)
            if isinstance(event, RunEnded):
                return

    async def _heard(self, event: Event) -> None:
        """Show what happened between runs."""
        self.session.meter.watch(event)
        await self.screen.event(event)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self.screen.activity:
                self.app.invalidate()

    # --- keys ----------------------------------------------------------------------------------------------------------

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter", filter=Condition(lambda: self.app.layout.has_focus(self.input)))
        def send(event: KeyPressEvent) -> None:
            event.current_buffer.validate_and_handle()

        @keys.add("c-j")
        @keys.add("escape", "enter")
        def newline(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("c-c")
        @keys.add("<sigint>")
        def interrupt(event: KeyPressEvent) -> None:
            self._interrupt()

        @keys.add("c-d", filter=Condition(lambda: not self.input.text))
        def leave(event: KeyPressEvent) -> None:
            self._leave()

        del send, newline, interrupt, leave
        return keys

    def _interrupt(self) -> None:
        """Cancel the run that goes on; else clear the input; else leave."""
        run = self._current
        if run is not None and run is not self._cancelled:
            self._cancelled = run
            self.screen.doing("cancelling")
            self.app.create_background_task(self._cancel(run))
        elif self.input.text:
            self.input.buffer.reset()
        else:
            self._leave()

    async def _cancel(self, run: Run) -> None:
        try:
            await self.session.runtime.cancel(run.id)
        except PagemindError as error:
            await self.screen.error(error)

    def _leave(self) -> None:
        if self.app.is_running and not self.app.is_done:
            self.app.exit(result=0)

    # --- what is seen --------------------------------------------------------------------------------------------------

    def _container(self) -> HSplit:
        live = Window(FormattedTextControl(self._live), dont_extend_height=True)
        body = FloatContainer(
            HSplit([self.input]),
            floats=[Float(CompletionsMenu(max_height=MENU_ROWS, scroll_offset=1), xcursor=True, ycursor=True)],
        )
        status = Window(FormattedTextControl(self._status), height=1, style="class:status", dont_extend_height=True)
        return HSplit([ConditionalContainer(live, Condition(lambda: bool(self._live()))), body, self._search, status])

    def _live(self) -> StyleAndTextTuples:
        size = self.app.output.get_size()
        lines: StyleAndTextTuples = []
        for line in self.screen.live_lines(size.columns, max(1, size.rows - INPUT_ROWS)):
            lines.append(("", line + "\n"))
        if activity := self.screen.activity_line():
            lines.append(("class:activity", activity + "\n"))
        lines += [("class:queued", f"queued: {one_line(text, size.columns - 10)}\n") for _, text in self._runs]
        if lines:
            style, text, *_ = lines[-1]
            lines[-1] = (style, text.removesuffix("\n"))
        return lines

    def _status(self) -> StyleAndTextTuples:
        return status_fragments(self.session)

    def _input_height(self) -> Dimension:
        """Room for the completion menu while it is open."""
        completing = self.input.buffer.complete_state is not None
        return Dimension(min=MENU_ROWS) if completing else Dimension(max=INPUT_ROWS)

    def left_words(self) -> str:
        """What to say after leaving while something still went on; empty where nothing did."""
        waiting = len(self._runs) + (self._current is not None)
        return (
            f"{counted(waiting, 'message')} accepted and not answered yet: the next start goes on with it." if waiting else ""
        )
