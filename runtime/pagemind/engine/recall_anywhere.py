"""Recall over many conversations at once, for people who search from outside."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Literal
from uuid import UUID

from pagemind.engine.kernel import Kernel
from pagemind.memory.ranking import fuse
from pagemind.records import Filters, MessageHit
from pagemind.store import messages

Signals = Literal["vector", "fts", "hybrid"]


async def recall_anywhere(
    kernel: Kernel,
    conversation_ids: Collection[UUID],
    query: str,
    *,
    signals: Signals = "hybrid",
    roles: Collection[str] = (),
    limit: int = 50,
    after: datetime | None = None,
    before: datetime | None = None,
) -> list[MessageHit]:
    """The messages of these conversations for the query, the best first: by words, by meaning, or by both."""
    if not conversation_ids or not query.strip():
        return []
    vector = None if signals == "fts" else await kernel.vector(query, "query")
    async with kernel.database.transaction() as session:
        found = await messages.candidates(
            session,
            conversation_ids,
            query=query,
            vector=vector,
            model=kernel.embedder.name,
            filters=Filters(roles=tuple(roles), after=after, before=before),
        )
    if signals == "vector" and vector is not None:
        found = [hit for hit in found if "vector" in hit.scores or "place" in hit.scores]
    return fuse(found, limit)
