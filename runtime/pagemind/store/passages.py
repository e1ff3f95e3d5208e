"""Archives' passages: inserted, superseded, searched; never overwritten."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Select, TextClause, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import AgentArchive, Passage, PassageHit, now
from pagemind.store.hybrid import hybrid, raw_scores, vector_text
from pagemind.store.keyset import Slice, sliced


class Within(StrEnum):
    """Which passages are searched: what ``owner`` names."""

    agent = "agent"
    """Those of the archives that an agent is attached to."""
    archive = "archive"
    """Those of one archive."""
    folders = "folders"
    """The pieces of the files in the folders that an agent may read."""
    tenant = "tenant"
    """All but pieces of files; there is no ``owner``."""


_SCOPES: dict[Within, str] = {
    Within.agent: """
      FROM agent_archives a
      JOIN passages p ON p.tenant_id = a.tenant_id AND p.archive_id = a.archive_id
     WHERE a.agent_id = CAST(:owner AS uuid)""",
    Within.archive: """
      FROM archives a
      JOIN passages p ON p.tenant_id = a.tenant_id AND p.archive_id = a.id
     WHERE a.id = CAST(:owner AS uuid) AND a.deleted_at IS NULL""",
    Within.folders: """
      FROM agent_folders a
      JOIN folders o ON o.tenant_id = a.tenant_id AND o.id = a.folder_id
      JOIN passages p ON p.tenant_id = o.tenant_id AND p.archive_id = o.archive_id
     WHERE a.agent_id = CAST(:owner AS uuid)""",
    Within.tenant: """
      FROM archives a
      JOIN passages p ON p.tenant_id = a.tenant_id AND p.archive_id = a.id
     WHERE a.deleted_at IS NULL AND p.file_id IS NULL AND CAST(:owner AS uuid) IS NULL""",
}


_FILTER = """ AND p.superseded_at IS NULL
       AND (cardinality(CAST(:tags AS text[])) = 0
            OR CASE WHEN :all_tags THEN p.tags @> CAST(:tags AS text[]) ELSE p.tags && CAST(:tags AS text[]) END)
       AND (CAST(:after AS timestamptz) IS NULL OR p.created_at >= :after)
       AND (CAST(:before AS timestamptz) IS NULL OR p.created_at < :before)
        """
_EMBEDDING = """
      LEFT JOIN passage_embeddings e ON e.tenant_id = p.tenant_id AND e.passage_id = p.id AND e.model = :model
     WHERE"""
_COSINE = "SELECT p.id, p.words, 1 - (e.embedding <=> CAST(:vector AS halfvec)) AS cosine"
_FOUND = """
    SELECT p.id, p.text, p.tags, p.source, p.created_at, p.archive_id, p.file_id, p.extra, b.words AS by_words, b.cosine
      FROM best b JOIN passages p ON p.id = b.id ORDER BY p.created_at
        """


def _search(scope: str) -> TextClause:
    """The statement that searches in that scope."""
    return text(hybrid(_COSINE + scope.replace("     WHERE", _EMBEDDING) + _FILTER, _FOUND))


_SEARCH = {within: _search(scope) for within, scope in _SCOPES.items()}
_NEWEST = {
    within: text(f"SELECT p.id {scope} {_FILTER} ORDER BY p.created_at DESC, p.id LIMIT :limit")
    for within, scope in _SCOPES.items()
}
_LACKING = {
    within: text(
        f"""
    SELECT p.id, p.text {scope} AND p.superseded_at IS NULL AND NOT EXISTS (
        SELECT FROM passage_embeddings e WHERE e.tenant_id = p.tenant_id AND e.passage_id = p.id AND e.model = :model)
     ORDER BY p.created_at DESC LIMIT :limit
    """  # noqa: S608 - constants of this module
    )
    for within, scope in _SCOPES.items()
}


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


async def page(
    session: AsyncSession, page: Slice, *, agent_id: UUID | None = None, archive_id: UUID | None = None, words: str = ""
) -> Sequence[Passage]:
    """A page of the passages in force of an agent's archives, or of one archive; ``words`` must stand in the text."""
    query = of_agent(agent_id) if agent_id is not None else select(Passage).where(col(Passage.archive_id) == archive_id)
    query = query.where(col(Passage.superseded_at).is_(None))
    if words:
        query = query.where(func.strpos(func.lower(col(Passage.text)), words.lower()) > 0)
    return await sliced(session, query, Passage, page)


def of_agent(agent_id: UUID) -> Select[Passage]:
    """All passages of the agent's archives."""
    archive_ids = select(col(AgentArchive.archive_id)).where(col(AgentArchive.agent_id) == agent_id)
    return select(Passage).where(col(Passage.archive_id).in_(archive_ids))


async def by_ids(session: AsyncSession, passage_ids: Collection[UUID]) -> dict[UUID, Passage]:
    """The passages by their ids."""
    found = (await session.execute(select(Passage).where(col(Passage.id).in_(passage_ids)))).scalars()
    return {passage.id: passage for passage in found}


async def newest(
    session: AsyncSession,
    owner: UUID | None,
    within: Within,
    *,
    tags: Collection[str] = (),
    all_tags: bool = False,
    after: datetime | None = None,
    before: datetime | None = None,
    limit: int = 10,
) -> list[Passage]:
    """The newest passages in force, where nothing is looked for."""
    values = {
        "owner": owner,
        "tags": list(tags),
        "all_tags": all_tags,
        "after": after,
        "before": before,
        "limit": limit,
    }
    passage_ids = list((await session.execute(_NEWEST[within], values)).scalars())
    rows = await by_ids(session, passage_ids)
    return [rows[passage_id] for passage_id in passage_ids]


async def remove(
    session: AsyncSession, passage_id: UUID, *, agent_id: UUID | None = None, archive_id: UUID | None = None
) -> None:
    """Take a passage of the agent's archives, or of that archive, out of sight; UnknownRecord where there is none in force."""
    own = of_agent(agent_id).with_only_columns(col(Passage.id)) if agent_id is not None else None
    statement = update(Passage).where(col(Passage.id) == passage_id, col(Passage.superseded_at).is_(None))
    statement = (
        statement.where(col(Passage.archive_id) == archive_id) if own is None else statement.where(col(Passage.id).in_(own))
    )
    changed = await session.execute(
        statement.values(superseded_at=now()).returning(col(Passage.id)).execution_options(synchronize_session=False)
    )
    if changed.scalar_one_or_none() is None:
        raise UnknownRecord(kind="passage", id=str(passage_id))


@dataclass(frozen=True)
class Lacking:
    """A passage that has no vector yet."""

    id: UUID
    text: str


async def lacking(session: AsyncSession, owner: UUID | None, within: Within, model: str, limit: int) -> list[Lacking]:
    """Passages in that scope without a vector by this model, the newest first."""
    rows = await session.execute(_LACKING[within], {"owner": owner, "model": model, "limit": limit})
    return [Lacking(row.id, row.text) for row in rows]


async def candidates(
    session: AsyncSession,
    owner: UUID | None,
    *,
    within: Within = Within.agent,
    query: str,
    vector: Sequence[float] | None = None,
    model: str | None = None,
    tags: Collection[str] = (),
    all_tags: bool = False,
    after: datetime | None = None,
    before: datetime | None = None,
    pool: int = 100,
) -> list[PassageHit]:
    """The best ``pool`` passages by words and the best by meaning, with raw ``scores`` and ``score`` 0; fuse them next.

    They are in force and in the scope that ``owner`` and ``within`` name; a passage needs any one of ``tags``, or all of them;
    ``after <= created_at < before``. ``scores`` has ``words`` (BM25) and ``vector`` (exact cosine; only where ``vector`` and
    ``model`` are given and the passage has its vector).
    """
    values = {
        "owner": owner,
        "query": query,
        "vector": vector_text(vector),
        "model": model,
        "tags": list(tags),
        "all_tags": all_tags,
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
            archive_id=row.archive_id,
            file_id=row.file_id,
            extra=row.extra,
        )
        for row in await session.execute(_SEARCH[within], values)
    ]
