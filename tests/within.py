"""The command line in this process: for what a command does, where no test is about the process that does it."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass

from pagemind.cli.main import status_of
from pagemind.testing.shell import Shell


@dataclass(frozen=True)
class Within(Shell):
    """Runs ``pagemind`` here: torch is imported once for all commands. For tests without a loop: a command has its own.

    Not for a chat: it may end while a thread still imports torch, and the next command's thread would find it half imported.
    """

    def run(self, *words: str, given: str | bytes = "") -> subprocess.CompletedProcess[str]:
        """Run it to its end with this standard input."""
        data = given.encode() if isinstance(given, str) else given
        with placed(self, data) as (output, errors):
            status = status_of(list(words))
        return subprocess.CompletedProcess(self.command(*words), status, output.getvalue().decode(), errors.getvalue().decode())


@contextlib.contextmanager
def placed(shell: Shell, given: bytes) -> Generator[tuple[io.BytesIO, io.BytesIO]]:
    """This process as the shell's own would begin, until the block ends: environment, folder, streams, no log yet."""
    root, environment, streams = logging.getLogger(), dict(os.environ), (sys.stdin, sys.stdout, sys.stderr)
    level, handlers = root.level, root.handlers
    output, errors = io.BytesIO(), io.BytesIO()
    try:
        with contextlib.chdir(shell.folder):
            changed(shell.environment)
            root.handlers = []
            sys.stdin = io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")
            sys.stdout = io.TextIOWrapper(output, encoding="utf-8", write_through=True)
            sys.stderr = io.TextIOWrapper(errors, encoding="utf-8", errors="backslashreplace", write_through=True)
            try:
                yield output, errors
            finally:
                sys.stdout.detach()
                sys.stderr.detach()
    finally:
        sys.stdin, sys.stdout, sys.stderr = streams
        for handler in root.handlers:
            handler.close()
        root.handlers, root.level = handlers, level
        logging.captureWarnings(False)
        changed(environment)


def changed(environment: dict[str, str]) -> None:
    """Have this environment and no other."""
    os.environ.clear()
    os.environ.update(environment)
