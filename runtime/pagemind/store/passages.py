"""Archives and their passages: inserted, superseded, searched; never overwritten."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import Agent, AgentArchive, Archive, Passage, PassageHit, now
from pagemind.store.hybrid import hybrid, raw_scores, vector_text

_SEARCH = text(
    hybrid(
        """
    SELECT p.id, p.words, 1 - (e.embedding <=> CAST(:vector AS halfvec)) AS cosine
      FROM agent_archives a
      JOIN passages p ON p.tenant_id = a.tenant_id AND p.archive_id = a.archive_id
      LEFT JOIN passage_embeddings e ON e.tenant_id = p.tenant_id AND e.passage_id = p.id AND e.model = :model
     WHERE a.agent_id = :agent AND p.superseded_at IS NULL
       AND (cardinality(CAST(:tags AS text[])) = 0 OR p.tags && CAST(:tags AS text[]))
       AND (CAST(:after AS timestamptz) IS NULL OR p.created_at >= :after)
       AND (CAST(:before AS timestamptz) IS NULL OR p.created_at < :before)
        """,
        """
    SELECT p.id, p.text, p.tags, p.source, p.created_at, b.words AS by_words, b.cosine
      FROM best b JOIN passages p ON p.id = b.id ORDER BY p.created_at
        """,
    )
)


async def archive_of(session: AsyncSession, agent: Agent) -> Archive:
    """The archive that the agent writes to; the first call makes it, named after the agent."""
    found = await first_archive(session, agent.id)
    if found is not None:
        return found
    # Two calls at once must not make two: the second waits here and then finds the first one's.
    await session.execute(select(col(Agent.id)).where(col(Agent.id) == agent.id).with_for_update(key_share=True))
    found = await first_archive(session, agent.id)
    if found is not None:
        return found
    archive = Archive(tenant_id=agent.tenant_id, name=agent.name)
    session.add(archive)
    session.add(AgentArchive(tenant_id=agent.tenant_id, agent_id=agent.id, archive_id=archive.id))
    await session.flush()
    return archive


async def first_archive(session: AsyncSession, agent_id: UUID) -> Archive | None:
    """The agent's archive at the lowest position."""
    query = (
        select(Archive)
        .join(AgentArchive, (col(AgentArchive.tenant_id) == Archive.tenant_id) & (col(AgentArchive.archive_id) == Archive.id))
        .where(col(AgentArchive.agent_id) == agent_id)
        .order_by(col(AgentArchive.position), col(AgentArchive.archive_id))
        .limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def insert(session: AsyncSession, passage: Passage) -> Passage:
    """Store a passage. Its vector comes later, by `embeddings.put`."""
    session.add(passage)
    await session.flush()
    return passage


async def supersede(session: AsyncSession, passage_id: UUID, by: Passage) -> Passage:
    """Store ``by`` in the place of a passage, which searches then leave out; ``UnknownRecord`` if it is superseded already."""
    await insert(session, by)
    changed = await session.execute(
        update(Passage)
        .where(col(Passage.id) == passage_id, col(Passage.superseded_at).is_(None))
        .values(superseded_by=by.id, superseded_at=now())
        .returning(col(Passage.id))
        .execution_options(synchronize_session=False)
    )
    if changed.scalar_one_or_none() is None:
        raise UnknownRecord(kind="passage in force", id=str(passage_id))
    return by


async def recent(session: AsyncSession, agent_id: UUID, limit: int = 20) -> list[Passage]:
    """The passages of the agent's archives that are in force, newest first."""
    query = (
        select(Passage)
        .join(AgentArchive, col(AgentArchive.archive_id) == Passage.archive_id)
        .where(col(AgentArchive.agent_id) == agent_id, col(Passage.superseded_at).is_(None))
        .order_by(col(Passage.created_at).desc(), col(Passage.id))
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def count(session: AsyncSession, agent_id: UUID) -> int:
    """How many passages in force the agent's archives hold."""
    query = (
        select(func.count(col(Passage.id)))
        .join(AgentArchive, col(AgentArchive.archive_id) == Passage.archive_id)
        .where(col(AgentArchive.agent_id) == agent_id, col(Passage.superseded_at).is_(None))
    )
    return (await session.execute(query)).scalar_one()


async def candidates(
    session: AsyncSession,
    agent_id: UUID,
    *,
    query: str,
    vector: Sequence[float] | None = None,
    model: str | None = None,
    tags: Collection[str] = (),
    after: datetime | None = None,
    before: datetime | None = None,
    pool: int = 100,
) -> list[PassageHit]:
    """The best ``pool`` passages by words and the best by meaning, with raw ``scores`` and ``score`` 0; fuse them next.

    They come from the agent's archives and are in force; a passage needs any one of ``tags``; ``after <= created_at < before``.
    ``scores`` has ``words`` (BM25) and ``vector`` (exact cosine; only where ``vector`` and ``model`` are given and the passage
    has its vector).
    """
    values = {
        "agent": agent_id,
        "query": query,
        "vector": vector_text(vector),
        "model": model,
        "tags": list(tags),
        "after": after,
        "before": before,
        "pool": pool,
    }
    return [
        PassageHit(
            id=row.id,
            text=row.text,
            tags=tuple(row.tags),
            source=row.source,
            created_at=row.created_at,
            score=0.0,
            scores=raw_scores(row.by_words, row.cosine),
        )
        for row in await session.execute(_SEARCH, values)
    ]
