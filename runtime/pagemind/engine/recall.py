"""Recall: what a query pages in, by words and by meaning."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pagemind.engine.kernel import Kernel
from pagemind.errors import EmbedderError
from pagemind.memory.ranking import fuse
from pagemind.records import Filters, MessageHit, PassageHit
from pagemind.store import embeddings, messages, passages
from pagemind.store.database import AsyncSession
from pagemind.store.passages import Lacking, Within

POOL = 100
"""How many candidates each signal names."""
FILLED_AT_ONCE = 64
FILL_SECONDS = 5.0


async def recall_passages(
    kernel: Kernel,
    owner: UUID | None,
    query: str,
    *,
    within: Within = Within.agent,
    tags: Sequence[str] = (),
    all_tags: bool = False,
    top_k: int = 10,
    after: datetime | None = None,
    before: datetime | None = None,
    rest: bool = False,
) -> list[PassageHit]:
    """The passages in that scope for the query, the best first; none that was superseded.

    With ``rest`` those for which nothing speaks follow, as far as ``top_k`` goes.
    """
    model = kernel.embedder.name
    vector = await kernel.vector(query, "query")

    async def candidates(session: AsyncSession) -> list[PassageHit]:
        return await passages.candidates(
            session,
            owner,
            within=within,
            query=query,
            vector=vector,
            model=model,
            filters=Filters(tags=tuple(tags), all_tags=all_tags, after=after, before=before),
            pool=max(POOL, top_k),
        )

    async with kernel.database.transaction() as session:
        fresh = await passages.lacking(session, owner, within, model, FILLED_AT_ONCE) if vector else []
        found = [] if fresh else await candidates(session)
    if fresh:
        await fill(kernel, fresh)
        async with kernel.database.transaction() as session:
            found = await candidates(session)
    best = fuse(found, top_k)
    return [*best, *unspoken(found, best)][:top_k] if rest else best


def unspoken(found: Sequence[PassageHit], best: Sequence[PassageHit]) -> list[PassageHit]:
    """Those that were found and are not among the best, the nearest first."""
    taken = {hit.id for hit in best}
    return sorted((hit for hit in found if hit.id not in taken), key=lambda hit: -hit.scores.get("vector", -1.0))


async def fill(kernel: Kernel, fresh: Sequence[Lacking]) -> None:
    """Give vectors to what was stored just now, so that it is found by its meaning at once.

    The indexer would, too, in its own time. An embedder that takes longer, or fails, is not waited for: then words must do.
    """
    model = kernel.embedder.name
    try:
        async with asyncio.timeout(FILL_SECONDS):
            vectors = await kernel.embedder.embed([each.text for each in fresh], kind="document")
    except (EmbedderError, TimeoutError):
        return
    if kernel.stored_dimensions not in (None, len(vectors[0])):
        return
    rows = {each.id: vector for each, vector in zip(fresh, vectors, strict=True)}
    async with kernel.database.transaction() as session:
        await embeddings.bind_model(session, kernel.database.tenant_id, model, kernel.embedder.dimensions)
        await embeddings.put(session, model, "passage", rows)


async def recall_messages(
    kernel: Kernel,
    conversation_id: UUID,
    query: str,
    *,
    roles: Sequence[str] = (),
    limit: int = 10,
    after: datetime | None = None,
    before: datetime | None = None,
    before_seq: int | None = None,
) -> list[MessageHit]:
    """The conversation's messages for the query, the best first; ``#12`` or ``#12-#20`` asks for them by number.

    Without a query they are the newest. Without ``roles`` only what was said is searched: a tool's return is mostly an echo of
    something that was found before.
    """
    vector = await kernel.vector(query, "query") if query.strip() else None
    async with kernel.database.transaction() as session:
        found = await messages.candidates(
            session,
            conversation_id,
            query=query,
            vector=vector,
            model=kernel.embedder.name,
            filters=Filters(roles=tuple(roles), after=after, before=before),
        )
    return fuse([hit for hit in found if before_seq is None or hit.seq < before_seq], limit)
