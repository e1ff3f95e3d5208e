"""Recall: what a query pages in, by words and by meaning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pagemind.engine.kernel import Kernel
from pagemind.memory.ranking import fuse
from pagemind.records import MessageHit, PassageHit
from pagemind.store import messages, passages


async def recall_passages(
    kernel: Kernel,
    agent_id: UUID,
    query: str,
    *,
    tags: Sequence[str] = (),
    top_k: int = 10,
    after: datetime | None = None,
    before: datetime | None = None,
) -> list[PassageHit]:
    """The agent's passages for the query, the best first; none that was superseded."""
    vector = await kernel.vector(query, "query")
    async with kernel.database.transaction() as session:
        found = await passages.candidates(
            session,
            agent_id,
            query=query,
            vector=vector,
            model=kernel.embedder.name,
            tags=tags,
            after=after,
            before=before,
        )
    return fuse(found, top_k)


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

    Without ``roles`` only what was said is searched: a tool's return is mostly an echo of something that was found before.
    """
    vector = await kernel.vector(query, "query")
    async with kernel.database.transaction() as session:
        found = await messages.candidates(
            session,
            conversation_id,
            query=query,
            vector=vector,
            model=kernel.embedder.name,
            roles=roles,
            after=after,
            before=before,
        )
    return fuse([hit for hit in found if before_seq is None or hit.seq < before_seq], limit)
