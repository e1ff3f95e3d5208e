"""Bulk: any number of passages into an archive, read, embedded and stored at the same time, in bounded memory.

Windows of drafts go through three hands: while one is stored, the next is being embedded and the one after that is read. A
window's passages and vectors are one transaction, so that whatever dies, what is stored has its vectors; and the same import
again stores what is missing, because a passage whose text is in force in the archive is not stored again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from uuid import UUID

from pagemind.engine.archival import NOWHERE, Draft, made
from pagemind.engine.kernel import Kernel
from pagemind.engine.laying import embed_each
from pagemind.errors import EmbedderMismatch
from pagemind.model.embedder import Embedder
from pagemind.records import Passage, now
from pagemind.store import archives, embedding_models
from pagemind.store.inserts import Vectors, insert_new, packed, seen

WINDOW = 2048
"""Passages a transaction: what the embedder sorts by length at a time."""
WINDOW_CHARS = 4_000_000
READ_AT_ONCE = 256
"""Drafts that are taken from an iterator before others on the event loop have their turn."""


@dataclass
class Progress:
    """How far an import is."""

    read: int = 0
    stored: int = 0
    known: int = 0
    """In force already, or twice in this import."""
    began: float = field(default_factory=time.monotonic)

    @property
    def done(self) -> int:
        """Passages that are dealt with."""
        return self.stored + self.known

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began


@dataclass(frozen=True)
class Imported:
    """What became of an import: passages stored, passages that were known already, and the seconds it took."""

    stored: int
    known: int
    seconds: float


@dataclass
class Batch:
    """New passages on their way into the store, with their digests and, once they are made, their packed vectors."""

    passages: list[Passage]
    digests: list[UUID]
    known: int
    vectors: asyncio.Task[list[bytes | None]] | None = None


async def import_passages(
    kernel: Kernel,
    archive_id: UUID,
    drafts: Iterable[Draft] | AsyncIterable[Draft],
    told: Callable[[Progress], None] = lambda progress: None,
) -> Imported:
    """Store the drafts' passages in the archive with their vectors, those left out whose text is in force there.

    ``told`` hears of every window that was read, and of every one that was stored. May be stopped anywhere and called again.
    Raises UnknownRecord, EmptyPassage, PassageTooLong, EmbedderError, EmbedderMismatch, StoreError; what was stored stays.
    """
    # Vectors that belong together, whichever model serves later.
    return await Import(kernel.still(), archive_id, told).run(drafts)


class Import:
    """One import: its reader, its writer and what is between them."""

    def __init__(self, kernel: Kernel, archive_id: UUID, told: Callable[[Progress], None]) -> None:
        self._kernel = kernel
        self._archive_id = archive_id
        self._told = told
        self._progress = Progress()
        self._ready = asyncio.Queue[Batch | None](maxsize=1)
        self._on_their_way: set[UUID] = set()
        """Digests of passages that were read and are not stored yet."""

    async def run(self, drafts: Iterable[Draft] | AsyncIterable[Draft]) -> Imported:
        """Read, embed and store until the drafts are at their end."""
        async with self._kernel.database.transaction() as session:
            await archives.get(session, self._archive_id)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(group, drafts))
                group.create_task(self._store())
        except BaseExceptionGroup as failed:
            # One thing went wrong; the rest was cancelled for it.
            raise failed.exceptions[0] from None
        return Imported(self._progress.stored, self._progress.known, self._progress.seconds)

    async def _read(self, group: asyncio.TaskGroup, drafts: Iterable[Draft] | AsyncIterable[Draft]) -> None:
        """Turn drafts into batches and have these embedded, one ahead of the batch that is stored."""
        async for window in windows(passages_of(self._kernel, self._archive_id, drafts)):
            batch = await self._unknown(window)
            if batch.passages:
                texts = [passage.text for passage in batch.passages]
                batch.vectors = group.create_task(vectors_of(self._kernel.embedder, texts))
            self._progress.read += len(window)
            self._told(self._progress)
            await self._ready.put(batch)
        await self._ready.put(None)

    async def _unknown(self, window: Sequence[Passage]) -> Batch:
        """Those of the window that neither the archive has nor what is on its way to it."""
        database, batch = self._kernel.database, Batch([], [], 0)
        async with database.transaction() as session:
            looks = await seen(session, database.tenant_id, self._archive_id, [passage.text for passage in window])
        for passage, look in zip(window, looks, strict=True):
            if look.known or look.digest in self._on_their_way:
                batch.known += 1
                continue
            self._on_their_way.add(look.digest)
            batch.passages.append(passage)
            batch.digests.append(look.digest)
        return batch

    async def _store(self) -> None:
        """Store batches in their order, until there are no more."""
        while batch := await self._ready.get():
            stored = await self._store_one(batch, await batch.vectors) if batch.vectors else 0
            self._on_their_way.difference_update(batch.digests)
            self._progress.stored += stored
            self._progress.known += batch.known + len(batch.passages) - stored
            self._told(self._progress)

    async def _store_one(self, batch: Batch, vectors: Sequence[bytes | None]) -> int:
        """Store a batch in one transaction; how many of its passages nobody else had stored meanwhile."""
        database, embedder = self._kernel.database, self._kernel.embedder
        async with database.transaction() as session:
            # Held, so that of two imports at once the second sees what the first has stored.
            await archives.hold(session, self._archive_id)
            known = await embedding_models.bind(session, database.tenant_id, embedder.name, embedder.dimensions)
            if known != embedder.dimensions:
                raise EmbedderMismatch(
                    stored=embedder.name, stored_dimensions=known or "no", model=embedder.name, dimensions=embedder.dimensions
                )
            given = Vectors(embedder.name, vectors)
            return await insert_new(session, database.tenant_id, self._archive_id, batch.passages, batch.digests, given)


async def look_over(
    kernel: Kernel,
    archive_id: UUID | None,
    drafts: Iterable[Draft] | AsyncIterable[Draft],
    told: Callable[[Progress], None] = lambda progress: None,
) -> Imported:
    """What `import_passages` would do, with nothing stored or embedded; None: into an archive that is yet to be made."""
    progress, met = Progress(), set[UUID]()
    archive_id = archive_id or NOWHERE
    async for window in windows(passages_of(kernel, archive_id, drafts)):
        async with kernel.database.transaction() as session:
            looks = await seen(session, kernel.database.tenant_id, archive_id, [passage.text for passage in window])
        for look in looks:
            new = not look.known and look.digest not in met
            met.add(look.digest)
            progress.stored, progress.known = progress.stored + new, progress.known + (not new)
        progress.read += len(window)
        told(progress)
    return Imported(progress.stored, progress.known, progress.seconds)


async def vectors_of(embedder: Embedder, texts: Sequence[str]) -> list[bytes | None]:
    """The vectors of the texts, packed, in their order; None for a text that the embedder refuses: it is tried again later.

    They are embedded in order of length: little is padded then.
    """
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    vectors = await embed_each(embedder, [texts[at] for at in order])
    rows: list[bytes | None] = [None] * len(texts)
    for at, vector in zip(order, vectors, strict=True):
        rows[at] = None if vector is None else packed(vector)
    return rows


async def windows(passages: AsyncIterator[Passage]) -> AsyncIterator[list[Passage]]:
    """The passages in lists of at most ``WINDOW``, or of fewer where they are long."""
    window, chars = list[Passage](), 0
    async for passage in passages:
        window.append(passage)
        chars += len(passage.text)
        if len(window) >= WINDOW or chars >= WINDOW_CHARS:
            yield window
            window, chars = [], 0
    if window:
        yield window


async def passages_of(
    kernel: Kernel, archive_id: UUID, drafts: Iterable[Draft] | AsyncIterable[Draft]
) -> AsyncIterator[Passage]:
    """The drafts as passages of the archive. Those that do not say their time are a microsecond apart, to keep their order."""
    began = now()
    places = count()
    async for draft in one_by_one(drafts):
        # What comes in bulk is known by its text alone.
        yield made(kernel, draft, "", began + timedelta(microseconds=next(places)), archive_id, by_gist=False)


async def one_by_one(drafts: Iterable[Draft] | AsyncIterable[Draft]) -> AsyncIterator[Draft]:
    """The drafts, however they come."""
    if isinstance(drafts, AsyncIterable):
        async for draft in drafts:
            yield draft
        return
    for place, draft in enumerate(drafts):
        yield draft
        if place % READ_AT_ONCE == READ_AT_ONCE - 1:
            await asyncio.sleep(0)
