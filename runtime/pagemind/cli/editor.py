"""The person's own editor."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from pagemind.errors import UsageError

_USUAL = ("nano", "vim", "vi")


class NoEditor(UsageError):
    """There is no editor to open here. Fix: set EDITOR, or give the text with --append, --replace or --set."""

    code = "no_editor"


class EditorFailed(UsageError):
    """The editor {editor!r} could not be used. Fix: check EDITOR; nothing was changed."""

    code = "editor_failed"


def editor_command() -> list[str]:
    """$VISUAL, $EDITOR or a usual one, as a command. NoEditor where there is none, or no terminal for it."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if named:
        return shlex.split(named)
    found = next((path for name in _USUAL if (path := shutil.which(name))), None)
    if found is None or not sys.stdin.isatty():
        raise NoEditor()
    return [found]


async def edit_text(text: str) -> str | None:
    """The text as the person left it; None where nothing changed. The terminal is the editor's meanwhile."""
    command = editor_command()
    with tempfile.TemporaryDirectory(prefix="pagemind-") as folder:
        path = Path(folder) / "block.txt"
        given = text if text.endswith("\n") or not text else text + "\n"  # as every editor leaves a file
        path.write_text(given, encoding="utf-8", errors="replace")
        try:
            process = await asyncio.create_subprocess_exec(*command, str(path))
            status = await process.wait()
        except OSError as error:
            raise EditorFailed(str(error), editor=command[0]) from error
        if status != 0:
            raise EditorFailed(f"exit status {status}", editor=command[0])
        edited = path.read_text(encoding="utf-8", errors="replace")
    if edited.endswith("\n") and not text.endswith("\n"):
        edited = edited[:-1]
    return None if edited == text else edited
