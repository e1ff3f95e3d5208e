"""Archives made for measuring: passages with given vectors, written in bulk, and the filters that they can be searched by."""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from pagemind.engine.runtime import Runtime
from pagemind.engine.surveyor import survey
from pagemind.records import Archive, Passage
from pagemind.records.base import record_of
from pagemind.store import archives, embedding_models
from pagemind.store.inserts import Vectors, insert_new

AT_ONCE = 5_000
TOLD_EACH = 100_000
Told = Callable[[str], None]
SHARES = (1.0, 0.1, 0.01, 0.001)
"""The shares of an archive that its filters leave; each but the first is a tag, given by chance."""


@dataclass(frozen=True)
class Rows:
    """Passages to be stored: their texts, their vectors (a row each, as halves) and their tags."""

    texts: Sequence[str]
    vectors: NDArray[np.float16]
    tags: Sequence[Sequence[str]]

    def some(self, begin: int, count: int) -> Rows:
        """A stretch of them."""
        end = begin + count
        return Rows(self.texts[begin:end], self.vectors[begin:end], self.tags[begin:end])


def tags_by_chance(count: int, seed: int) -> list[list[str]]:
    """For each of so many passages the filters that leave it, drawn apart from what it says."""
    drawn = np.random.default_rng(seed).random((count, len(SHARES)))
    return [[tag_of(share) for share, each in zip(SHARES, row, strict=True) if share < 1 and each < share] for row in drawn]


def tag_of(share: float) -> str:
    """The tag that this share of an archive has."""
    return f"one in {round(1 / share)}"


async def made_archive(runtime: Runtime, name: str) -> UUID:
    """A new archive."""
    database = runtime.kernel.database
    async with database.transaction() as session:
        return (await archives.add(session, Archive(tenant_id=database.tenant_id, name=name))).id


async def fill(runtime: Runtime, archive_id: UUID, rows: Rows, told: Told) -> list[UUID]:
    """Store all rows in an archive; the ids of their passages, in order."""
    found: list[UUID] = []
    for begin in range(0, len(rows.texts), AT_ONCE):
        found += await put(runtime, archive_id, rows.some(begin, AT_ONCE))
        if len(found) % TOLD_EACH == 0:
            told(f"  {len(found):,} of {len(rows.texts):,} passages stored")
    return found


async def put(runtime: Runtime, archive_id: UUID, rows: Rows) -> list[UUID]:
    """Store some rows in one transaction; the ids of their passages, in order."""
    database, model = runtime.kernel.database, runtime.kernel.embedder.name
    passages = list(passages_of(database.tenant_id, archive_id, rows))
    digests = [digest(text) for text in rows.texts]
    vectors = Vectors(model, packed_rows(rows.vectors))
    async with database.transaction() as session:
        await embedding_models.bind(session, database.tenant_id, model, rows.vectors.shape[1])
        await insert_new(session, database.tenant_id, archive_id, passages, digests, vectors)
    return [passage.id for passage in passages]


def passages_of(tenant_id: UUID, archive_id: UUID, rows: Rows) -> Iterator[Passage]:
    """The rows as passages."""
    kept = {"tenant_id": tenant_id, "archive_id": archive_id, "source": "bench", "origin": "imported"}
    for text, tags in zip(rows.texts, rows.tags, strict=True):
        yield record_of(Passage, {**kept, "text": text, "tags": list(tags)})


def packed_rows(vectors: NDArray[np.float16]) -> list[bytes]:
    """As ``store.inserts.packed``, of rows that are halves already, a hundred times faster."""
    head = struct.pack(">HH", vectors.shape[1], 0)
    return [head + row.tobytes() for row in vectors.astype(">f2")]


def digest(text: str) -> UUID:
    """As ``passages.digest`` has it."""
    return UUID(hashlib.md5(" ".join(text.split()).lower().encode(), usedforsecurity=False).hexdigest())


async def settled(runtime: Runtime, told: Told) -> float:
    """Survey what was stored, and make the indexes that it wants, which otherwise goes on in the background; the seconds."""
    began = time.perf_counter()
    await runtime.indexed()
    await survey(runtime.kernel.database, lambda line: told(f"  {line}"))
    return time.perf_counter() - began
