"""From the command to the prompt, on a real pseudo-terminal; the database stands still before each start."""

from __future__ import annotations

import os
import pty
import select
import statistics
import subprocess
import termios
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from pagemind.testing.shell import Shell

PROMPT = b"paged in"
"""The status line stands below the prompt: when it is there, the prompt is drawn."""
MOST_SECONDS = 120.0


class NoPrompt(Exception):
    """The chat did not come to its prompt."""


@dataclass(frozen=True)
class StartFigures:
    """Medians over ``starts`` starts in a home folder that was used before."""

    starts: int
    prompt_seconds: float
    headless_seconds: float


def start_figures(folder: Path, *, starts: int) -> StartFigures:
    """Start once to set up, then measure."""
    shell = Shell(folder / "home", folder)
    shell.ok("chat", "-p", "hello")
    prompts = [seconds_to_prompt(shell) for _ in range(starts)]
    headless: list[float] = []
    for _ in range(starts):
        began = perf_counter()
        shell.ok("chat", "-p", "hello")
        headless.append(perf_counter() - began)
    return StartFigures(starts, statistics.median(prompts), statistics.median(headless))


def seconds_to_prompt(shell: Shell) -> float:
    """Start a chat, wait until its prompt is drawn, leave it again."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (30, 100))
    environment = {**shell.environment, "PROMPT_TOOLKIT_NO_CPR": "1"}
    began = perf_counter()
    process = subprocess.Popen(
        shell.command("chat"), stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=shell.folder,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        read_until(ours, PROMPT)
        seconds = perf_counter() - began
        os.write(ours, b"\x04")
        read_until(ours, None)
        process.wait(MOST_SECONDS)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return seconds


def read_until(terminal: int, awaited: bytes | None) -> None:
    """Read until the bytes have come, or to the end; NoPrompt if the end or the time comes first."""
    until = perf_counter() + MOST_SECONDS
    seen = b""
    while awaited is None or awaited not in seen:
        if perf_counter() > until:
            raise NoPrompt(seen.decode("utf-8", "replace"))
        try:
            data = os.read(terminal, 65536) if select.select([terminal], [], [], 1.0)[0] else None
        except OSError:  # the other end is closed
            data = b""
        if data == b"":
            if awaited is None:
                return
            raise NoPrompt(seen.decode("utf-8", "replace"))
        seen += data or b""
