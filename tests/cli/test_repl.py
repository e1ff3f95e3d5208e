"""The prompt itself: keys go in through a pipe, what a terminal would get comes out, runs are real."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from pagemind.cli.display import TerminalScreen
from pagemind.cli.repl import Repl
from pagemind.cli.session import Session
from pagemind.cli.text import safe_text
from pagemind.model.demo import DemoReasoner
from pagemind.model.reasoner import Reasoner
from pagemind.settings import Settings
from pagemind.testing import ScriptedReasoner, bench, call
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio

ENTER, CTRL_C, CTRL_D, CTRL_J, CTRL_R, TAB = "\r", "\x03", "\x04", "\n", "\x12", "\t"
MOST_SECONDS = 20.0


class Desk:
    """A person at a terminal: types, and reads what was printed."""

    def __init__(self, repl: Repl, keys: PipeInput, written: io.StringIO, leaving: asyncio.Task[int]) -> None:
        self.repl = repl
        self.leaving = leaving
        self._keys = keys
        self._written = written

    @property
    def raw(self) -> str:
        return self._written.getvalue()

    @property
    def seen(self) -> str:
        """All that was ever written, without the terminal's control sequences."""
        return safe_text(self.raw.replace("\r", ""))

    async def type(self, keys: str) -> None:
        self._keys.send_text(keys)
        await asyncio.sleep(0.05)

    async def say(self, text: str) -> None:
        await self.type(text)
        await self.type(ENTER)

    async def sees(self, text: str) -> None:
        await self.until(lambda: text in self.seen, f"{text!r} on the screen")

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        for _ in range(int(MOST_SECONDS / 0.02)):
            if holds():
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"waited in vain for {what}; the screen says:\n{self.seen[-3000:]}")


@asynccontextmanager
async def desk(settings: Settings, reasoner: Reasoner) -> AsyncGenerator[Desk]:
    written = io.StringIO()
    output = Vt100_Output(written, lambda: Size(rows=30, columns=100), term="xterm")
    async with bench(settings, reasoner=reasoner, embedder=HashEmbedder()) as opened:
        with create_pipe_input() as keys, create_app_session(input=keys, output=output):
            session = await Session.begin(opened.runtime, agent="test")
            repl = Repl(session, TerminalScreen(color_system=None))
            leaving = asyncio.create_task(repl.run())
            seat = Desk(repl, keys, written, leaving)
            await seat.until(lambda: repl.app.is_running, "the prompt")
            yield seat
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)


def scripted(*lines: object) -> ScriptedReasoner:
    model = ScriptedReasoner()
    model.will(*lines)  # pyright: ignore[reportArgumentType]
    return model


async def test_a_message_is_answered_above_the_prompt_with_its_tools(settings: Settings) -> None:
    model = scripted(call("core_memory_append", label="human", content="Name: Ada"), "# Hello\n\nNice to meet **Ada**.")
    async with desk(settings, model) as seat:
        await seat.say("my name is Ada")
        await seat.sees("Nice to meet Ada.")
        assert "✎ human +1 line" in seat.seen
        assert "› my name is Ada" in seat.seen
        assert "demo reasoner, not a language model" in seat.seen
        assert "\x1b[?1049h" not in seat.raw


async def test_ctrl_c_cancels_the_run_then_clears_the_input_then_leaves(settings: Settings) -> None:
    async with desk(settings, DemoReasoner(word_seconds=1.0)) as seat:
        await seat.say("hello there")
        await seat.until(lambda: seat.repl.screen.activity in {"thinking", "writing"}, "the run")
        await seat.type("half a thought")
        await seat.type(CTRL_C)
        await seat.sees("cancelled")
        await seat.until(lambda: not seat.repl.busy, "the end of the run")
        assert seat.repl.input.text == "half a thought"
        await seat.type(CTRL_C)
        assert seat.repl.input.text == ""
        await seat.type(CTRL_C)
        assert await asyncio.wait_for(seat.leaving, MOST_SECONDS) == 0


async def test_what_is_typed_during_a_run_is_accepted_and_answered_after_it(settings: Settings) -> None:
    async with desk(settings, DemoReasoner(word_seconds=0.15)) as seat:
        await seat.say("my name is Ada")
        await seat.until(lambda: seat.repl.busy, "the run")
        await seat.say("what is my name?")
        await seat.sees("queued: what is my name?")
        await seat.sees("› what is my name?")
        await seat.until(lambda: not seat.repl.busy, "both answers")
        seen = seat.seen
        assert seen.rindex("› my name is Ada") < seen.index("I noted it") < seen.rindex("› what is my name?")


async def test_leaving_during_a_run_says_that_the_message_is_kept(settings: Settings) -> None:
    async with desk(settings, DemoReasoner(word_seconds=1.0)) as seat:
        await seat.say("hello there")
        await seat.until(lambda: seat.repl.busy, "the run")
        await seat.type(CTRL_D)
        assert await asyncio.wait_for(seat.leaving, MOST_SECONDS) == 0
        assert seat.repl.left_words().startswith("1 message accepted")


async def test_ctrl_j_and_alt_enter_make_new_lines_in_one_message(settings: Settings) -> None:
    model = scripted("Three lines.")
    async with desk(settings, model) as seat:
        await seat.type("one" + CTRL_J + "two\x1b\rthree" + ENTER)
        await seat.sees("Three lines.")
    assert any("one\ntwo\nthree" in message.content for message in model.prompts[-1].messages)


async def test_ctrl_r_finds_an_earlier_message(settings: Settings) -> None:
    async with desk(settings, scripted("First.", "Second.", "Third.")) as seat:
        await seat.say("the needle")
        await seat.sees("First.")
        await seat.say("something else")
        await seat.sees("Second.")
        await seat.type(CTRL_R + "need" + ENTER)
        await seat.until(lambda: seat.repl.input.text == "the needle", "the earlier message")


async def test_commands_are_completed(settings: Settings) -> None:
    async with desk(settings, scripted()) as seat:
        await seat.type("/con")
        await seat.until(lambda: seat.repl.input.buffer.complete_state is not None, "the menu")
        await seat.type(TAB)
        assert seat.repl.input.text == "/context"
        await seat.type(ENTER)
        await seat.sees("kept free for the reply")


async def test_an_unknown_command_says_so_and_gives_the_line_back(settings: Settings) -> None:
    async with desk(settings, scripted()) as seat:
        await seat.say("/contxt")
        await seat.sees("did you mean /context?")
        await seat.until(lambda: seat.repl.input.text == "/contxt", "the line")


async def test_a_reply_cannot_control_the_terminal(settings: Settings) -> None:
    async with desk(settings, scripted("Look: \x1b]52;c;aGk=\x07 \x1b[2J done.")) as seat:
        await seat.say("hello")
        await seat.sees("done.")
        assert "]52;" not in seat.raw


async def test_a_long_reply_loses_nothing_and_its_code_stays_whole(settings: Settings) -> None:
    code = "\n".join(f"line_{number} = {number}" for number in range(80))
    reply = f"Before.\n\n```python\n{code}\n```\n\n- one\n- two\n\nAfter."
    async with desk(settings, scripted(reply)) as seat:
        await seat.say("write code")
        await seat.sees("After.")
        assert [n for n in range(80) if f"line_{n} = {n}" not in seat.seen] == []


async def test_the_history_of_what_was_typed_is_private(settings: Settings) -> None:
    async with desk(settings, scripted("Yes.")) as seat:
        await seat.say("hello")
        await seat.sees("Yes.")
    assert (settings.home / "history").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("/help", "page the oldest messages out now"),
        ("/agents", "changed"),
        ("/memory human", "0/5,000 chars"),
        ("/edit human Likes tea.", "+ Likes tea."),
        ("/undo human", "error[nothing_to_undo]"),
        ("/history human", "seed"),
        ("/history", "Nothing has been said yet."),
        ("/context history", "nothing was paged"),
        ("/context hsitory", "error[word_missing]"),
        ("/search tea", "Nothing in the archive."),
        ("/why", "recalled nothing"),
        ("/compact", "Nothing can be paged out"),
        ("/model", "not a language model"),
        ("/model demo", "not a language model"),
        ("/resume", "last used"),
        ("/resume 7", "error[not_found]"),
        ("/new", "A new conversation."),
        ("/edit", "error[word_missing]"),
    ],
)
async def test_each_command_answers(settings: Settings, line: str, shown: str) -> None:
    async with desk(settings, scripted()) as seat:
        await seat.say(line)
        await seat.sees(shown)


async def test_what_is_paged_out_between_runs_is_said_when_it_happens_and_the_meter_falls(settings: Settings) -> None:
    model = ScriptedReasoner(window_tokens=2_048)
    async with desk(settings, model) as seat:
        before = 0
        for turn in range(1, 20):
            model.will(f"Sheep {turn}.")
            await seat.say("sheep " * 100)
            await seat.sees(f"Sheep {turn}.")
            await seat.until(lambda: not seat.repl.busy, "the end of the run")
            before = seat.repl.session.meter.context_tokens
            await asyncio.sleep(0.4)  # early paging waits a moment for the next input
            if "paged out" in seat.seen:
                break
        await seat.sees("because the window was nearly full")
        assert seat.repl.session.meter.context_tokens < before
        assert seat.repl.session.meter.paged_out > 0
        assert seat.seen.count("⇅ paged out") == 1
        await seat.say("/context history")
        await seat.sees("Page faults: none.")


async def test_what_was_asked_for_is_said_once(settings: Settings) -> None:
    async with desk(settings, scripted("Many.", "Few.")) as seat:
        await seat.say("sheep " * 700)
        await seat.sees("Many.")
        await seat.say("goats")
        await seat.sees("Few.")
        await seat.until(lambda: not seat.repl.busy, "the end of the run")
        await seat.say("/compact")
        await seat.sees("because somebody asked for it")
        await asyncio.sleep(0.2)
        assert seat.seen.count("⇅ paged out") == 1


async def test_an_export_writes_the_conversation_and_the_agent(settings: Settings) -> None:
    folder = settings.home / "export"
    async with desk(settings, scripted("Of **course**.")) as seat:
        await seat.say("will you remember?")
        await seat.sees("Of course.")
        await seat.say(f"/export {folder}")
        await seat.sees("test.yaml")
    [transcript] = folder.glob("test-*.md")
    assert "will you remember?" in transcript.read_text()
    assert "Of **course**." in transcript.read_text()
    assert "kind: agent" in (folder / "test.yaml").read_text()


async def test_quit_leaves(settings: Settings) -> None:
    async with desk(settings, scripted()) as seat:
        await seat.say("/quit")
        assert await asyncio.wait_for(seat.leaving, MOST_SECONDS) == 0
