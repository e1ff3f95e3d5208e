"""Which files an import takes in: those that are named, and what the named folders hold."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pagemind.engine.documents import PDF, media_type_of, reads_pdf
from pagemind.errors import ImportMissing

JSON_LINES = frozenset({".jsonl", ".ndjson"})
PASSED_OVER = frozenset({"__pycache__", "node_modules"})
"""Folders of what programs make; hidden files and folders, such as ``.git``, are passed over, too."""


@dataclass(frozen=True)
class Refused:
    """A file, or a line of one (``file:line``), that cannot be imported, and why, for people."""

    where: str
    why: str


@dataclass(frozen=True)
class Found:
    """A file to import. ``source`` is its path relative to what was named."""

    path: Path
    source: str
    media_type: str
    size_bytes: int

    @property
    def is_json_lines(self) -> bool:
        """Whether it is read line by line, so that it may be of any size."""
        return self.path.suffix.lower() in JSON_LINES


def find(named: Sequence[Path], limit_bytes: int) -> Iterator[Found | Refused]:
    """The files that are named and those in the named folders, in the order of their names, without hidden ones.

    Links out of a folder are not followed. Files larger than ``limit_bytes`` are refused, JSON lines apart. Raises
    ImportMissing for a path that is not there. Blocking.
    """
    for path in named:
        if path.is_dir():
            yield from within(path, limit_bytes)
        else:
            yield looked_at(path, path.name, limit_bytes, named=True)


def refuse_missing(named: Sequence[Path]) -> None:
    """Raise ImportMissing for the first path that is neither a file nor a folder. Blocking."""
    for path in named:
        try:
            there = path.is_file() or path.is_dir()
        except OSError as error:
            raise ImportMissing(error.strerror or "", path=str(path)) from None
        if not there:
            raise ImportMissing("it is no ordinary file" if path.exists() else "", path=str(path))
        if not os.access(path, os.R_OK):
            raise ImportMissing("permission denied", path=str(path))


def within(folder: Path, limit_bytes: int) -> Iterator[Found | Refused]:
    """What the folder and those below it hold."""
    root = folder.resolve()
    # Folders that are links are not gone into: what they lead to in here is found in its own place.
    for at, folders, files in os.walk(folder, onerror=None):
        shown = sorted(name for name in folders if not hidden(name))
        linked = [name for name in shown if (Path(at) / name).is_symlink()]
        folders[:] = [name for name in shown if name not in linked]
        for name in sorted([*linked, *(name for name in files if not hidden(name))]):
            path = Path(at) / name
            source = path.relative_to(folder).as_posix()
            if not path.resolve().is_relative_to(root):
                yield Refused(source, "it is a link out of the folder")
            elif name not in linked:
                yield looked_at(path, source, limit_bytes)


def hidden(name: str) -> bool:
    """Whether files and folders of that name are passed over."""
    return name.startswith(".") or name in PASSED_OVER


def looked_at(path: Path, source: str, limit_bytes: int, *, named: bool = False) -> Found | Refused:
    """The file, if it is one that becomes text. ImportMissing where it was named and is not there."""
    try:
        size = path.stat().st_size
    except OSError as error:
        if named:
            raise ImportMissing(error.strerror or "", path=str(path)) from None
        return Refused(source, (error.strerror or "it cannot be read").lower())
    if not path.is_file():
        return Refused(source, "it is no ordinary file")
    media_type = media_type_of(path.name, "")
    if media_type is None:
        return Refused(source, "it is of an unknown type")
    if media_type == PDF and not reads_pdf():
        return Refused(source, "PDF files need the extra `documents`: pip install 'pagemind[documents]'")
    found = Found(path, source, media_type, size)
    if size > limit_bytes and not found.is_json_lines:
        return Refused(source, f"it has {size:,} bytes, and at most {limit_bytes:,} are taken in (PAGEMIND_FILE_LIMIT_BYTES)")
    return found
