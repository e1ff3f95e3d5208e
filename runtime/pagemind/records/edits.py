"""Edits of a block, as operations: they are applied to the block's newest version, whoever wrote that (contract D5)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Append:
    """Add ``text`` on a line of its own at the end."""

    text: str
    kind: Literal["append"] = "append"


@dataclass(frozen=True)
class Replace:
    """Put ``new`` in the place of ``old``, which must stand there exactly once; an empty ``new`` deletes."""

    old: str
    new: str
    kind: Literal["replace"] = "replace"


@dataclass(frozen=True)
class Insert:
    """Insert ``text`` as new lines after line ``line``: 0 is the beginning, -1 the end."""

    text: str
    line: int = -1
    kind: Literal["insert"] = "insert"


@dataclass(frozen=True)
class Rewrite:
    """Replace the whole value by ``text``."""

    text: str
    kind: Literal["rewrite"] = "rewrite"


@dataclass(frozen=True)
class Revert:
    """Go back to the value that revision ``revision`` had (an undo). ``text`` is that value."""

    text: str
    revision: int
    kind: Literal["revert"] = "revert"


Edit = Append | Replace | Insert | Rewrite | Revert


def edit_to_json(edit: Edit) -> dict[str, Any]:
    """The edit as a JSON object with its ``kind``."""
    return asdict(edit)
