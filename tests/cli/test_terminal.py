"""The real chat on a real pseudo-terminal, from its first line to its last."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pagemind.testing.shell import Shell

MOST_SECONDS = 30.0


class Terminal:
    """A pseudo-terminal with the chat on it."""

    def __init__(self, shell: Shell, *words: str) -> None:
        self.written = ""
        command = shell.command(*words)
        environment = {**shell.environment, "PROMPT_TOOLKIT_NO_CPR": "1"}
        self._process, self._terminal = pty.fork()
        if self._process == 0:
            termios.tcsetwinsize(0, (30, 100))
            os.chdir(shell.folder)
            os.execve(command[0], command, environment)

    def sees(self, text: str) -> None:
        """Read on until the text is there."""
        until = time.monotonic() + MOST_SECONDS
        while text not in self.written:
            assert time.monotonic() < until, self.written
            assert self._read(), f"it ended without {text!r}: {self.written}"

    def types(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def ends(self) -> int:
        """Read to the end; the exit status."""
        until = time.monotonic() + MOST_SECONDS
        while self._read():
            assert time.monotonic() < until, f"it does not end: {self.written}"
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])

    def hangs_up(self) -> int:
        """Close the terminal as a person closes the window; the exit status."""
        os.close(self._terminal)
        return self._status()

    def is_told_to_stop(self) -> int:
        """Send SIGTERM; the exit status."""
        os.kill(self._process, signal.SIGTERM)
        status = self._status()
        os.close(self._terminal)
        return status

    def _status(self) -> int:
        until = time.monotonic() + MOST_SECONDS
        while not (waited := os.waitpid(self._process, os.WNOHANG))[0]:
            assert time.monotonic() < until, "it does not end"
            time.sleep(0.05)
        return os.waitstatus_to_exitcode(waited[1])

    def _read(self) -> bool:
        try:
            ready, _, _ = select.select([self._terminal], [], [], 0.5)
            data = os.read(self._terminal, 65536) if ready else b"\0"
        except OSError:  # the other end is closed
            return False
        self.written += data.replace(b"\0", b"").decode("utf-8", "replace")
        return bool(data)


def test_a_chat_on_a_terminal_stays_inline_and_remembers(shell: Shell) -> None:
    terminal = Terminal(shell)
    terminal.sees("DEMO REASONER")
    terminal.sees("paged in")
    terminal.types("my name is Ada\r")
    terminal.sees("human +1 line")
    terminal.sees("I noted it")
    terminal.types("/memory human\r")
    terminal.sees("Name: Ada")
    terminal.types("\x04")
    assert terminal.ends() == 0
    assert "\x1b[?1049h" not in terminal.written
    assert re.search(r"\x1b\[[0-9;]*3[0-7]", terminal.written)


def test_no_color_means_no_colour(shell: Shell) -> None:
    terminal = Terminal(shell.under(NO_COLOR="1"))
    terminal.sees("paged in")
    terminal.types("/context\r")
    terminal.sees("kept free")
    terminal.types("/quit\r")
    assert terminal.ends() == 0
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38)[;m]", terminal.written)


@pytest.mark.parametrize("settings", [{"TERM": "dumb"}, {}])
def test_a_plain_chat_on_a_terminal_is_words_only(shell: Shell, settings: dict[str, str]) -> None:
    terminal = Terminal(shell.under(**settings), *([] if settings else ["--plain"]))
    terminal.sees("> ")
    terminal.types("my name is Ada\n")
    terminal.sees("“Name: Ada”")
    terminal.types("\x04")
    assert terminal.ends() == 0
    assert "\x1b" not in terminal.written


def test_ctrl_c_leaves_a_plain_chat_that_waits_for_a_line(shell: Shell) -> None:
    terminal = Terminal(shell, "--plain")
    terminal.sees("> ")
    terminal.types("\x03")
    assert terminal.ends() == 130


def test_an_editor_is_given_the_terminal(shell: Shell, tmp_path: Path) -> None:
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\nprintf "Likes coffee.\\n" >> "$1"\n')
    editor.chmod(0o700)
    terminal = Terminal(shell.under(EDITOR=str(editor)))
    terminal.sees("paged in")
    terminal.types("/edit human\r")
    terminal.sees("+ Likes coffee.")
    terminal.types("\x04")
    assert terminal.ends() == 0


@pytest.mark.parametrize(("end", "status"), [(Terminal.hangs_up, 129), (Terminal.is_told_to_stop, 143)], ids=["closed", "told"])
def test_a_closed_window_leaves_no_server_behind(tmp_path: Path, end: Callable[[Terminal], int], status: int) -> None:
    home = tmp_path / "home"
    terminal = Terminal(Shell(home, tmp_path), "chat")
    terminal.sees("/help")
    assert (home / "postgres" / "postmaster.pid").exists()
    assert end(terminal) == status
    assert not (home / "postgres" / "postmaster.pid").exists()
