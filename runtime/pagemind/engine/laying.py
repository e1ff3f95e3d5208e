"""Laying vectors: texts that lack theirs by a model get them, batch by batch. It may stop anywhere: what is missing shows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from pagemind.errors import EmbedderError
from pagemind.faults import reach
from pagemind.model.embedder import Embedder
from pagemind.store import embedding_models, embeddings, vector_walks
from pagemind.store.database import Database

log = logging.getLogger(__name__)

BATCH = 256
PROBE = "Is anybody there?"
WRITER_POLL_SECONDS = 0.05

Vector = list[float]


async def lay_batch(database: Database, embedder: Embedder, *, pieces: int = embeddings.PIECES_AT_ONCE) -> int:
    """Give vectors to a batch of texts that lack one by this embedder; how many texts were dealt with.

    Texts that it refuses are put off, and hold up nobody. Raises EmbedderError where it fails for any text, EmbedderMismatch,
    StoreError.
    """
    async with database.transaction() as session:
        due = await embeddings.due(session, embedder.name, BATCH, pieces=pieces)
    if not due:
        return 0
    vectors = await embed_each(embedder, [each.text for each in due])
    async with database.transaction() as session:
        for kind in embeddings.KINDS:
            of_kind = [(each.id, vector) for each, vector in zip(due, vectors, strict=True) if each.kind == kind]
            rows = {key: vector for key, vector in of_kind if vector is not None}
            await embeddings.lay(session, database.tenant_id, embedder.name, kind, rows)
            await embeddings.put_off(session, embedder.name, kind, [key for key, vector in of_kind if vector is None])
        reach("index.before_commit")
    reach("index.after_commit")
    return len(due)


async def embed_each(embedder: Embedder, texts: Sequence[str]) -> list[Vector | None]:
    """A vector for each text, None for one that the embedder refuses. Raises EmbedderError where it fails for any text.

    One text can make a whole batch fail: then its halves are tried, down to that text.
    """
    try:
        return [*await embedder.embed(texts, kind="document")]
    except EmbedderError as error:
        if len(texts) == 1:
            await embedder.embed([PROBE], kind="document")
            log.warning("the embedder %s refuses a text of %d characters: %s", embedder.name, len(texts[0]), error)
            return [None]
    half = len(texts) // 2
    return [*await embed_each(embedder, texts[:half]), *await embed_each(embedder, texts[half:])]


async def queue_all(database: Database, model: str) -> None:
    """Queue every text that has no vector by a model that was added just now, or go on with that.

    The triggers queue what is stored from then on. What was being stored at that moment, by transactions that did not see the
    model yet, is waited for, so that none slips through.
    """
    async with database.transaction() as session:
        mark = await vector_walks.mark(session)
    while await oldest_writer(database) <= mark:  # noqa: ASYNC110 - it is the database that knows
        await asyncio.sleep(WRITER_POLL_SECONDS)
    for kind in embeddings.KINDS:
        after = vector_walks.FIRST
        while after is not None:
            async with database.transaction() as session:
                after = await vector_walks.queue_part(session, database.tenant_id, model, kind, after)
    async with database.transaction() as session:
        await embedding_models.set_queued(session, model)


async def oldest_writer(database: Database) -> int:
    """The number of the oldest transaction that writes and has not ended."""
    async with database.transaction() as session:
        return await vector_walks.oldest_writer(session)
