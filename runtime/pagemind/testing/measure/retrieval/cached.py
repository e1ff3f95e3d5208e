"""Real vectors of generated texts, kept on disk: making them takes minutes, and a run that was cut off goes on from there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pagemind.model.embedder import Embedder

Told = Callable[[str], None]
PART = 5_000
"""Texts in one file."""
Vectors = NDArray[np.float16]


def cache_folder(home: Path) -> Path:
    """Where the measurements of this home folder keep what they can use again; made where it is missing."""
    folder = home.expanduser() / "cache" / "bench-retrieval"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


async def vectors_of(embedder: Embedder, texts: Sequence[str], folder: Path, told: Told) -> Vectors:
    """The texts' unit vectors, one a row, as halves, which is what the store keeps.

    A file holds the vectors of ``PART`` texts, named by the model and by the digest of those texts (and so by their seed).
    """
    parts: list[Vectors] = []
    for begin in range(0, len(texts), PART):
        some = texts[begin : begin + PART]
        path = folder / f"{slug(embedder.name)}-{digest(some)}.npy"
        known = loaded(path, len(some))
        if known is None:
            told(f"  embedding texts {begin:,} to {begin + len(some):,} of {len(texts):,}")
            known = np.array(await embedder.embed(some, kind="document"), dtype=np.float16)
            saved(path, known)
        parts.append(known)
    return np.concatenate(parts)


def loaded(path: Path, rows: int) -> Vectors | None:
    """The vectors in a file; None where it is missing, or is no whole one."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.dtype == np.float16 and found.ndim == 2 and len(found) == rows else None


def saved(path: Path, vectors: Vectors) -> None:
    """Write the file, whole or not at all."""
    fresh = path.with_suffix(".part")
    with fresh.open("wb") as file:
        np.save(file, vectors, allow_pickle=False)
    fresh.replace(path)


def digest(texts: Sequence[str]) -> str:
    """A name for these texts in this order."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def slug(name: str) -> str:
    """The model's name as part of a file's."""
    return re.sub(r"[^\w.-]+", "-", name)[-60:]
