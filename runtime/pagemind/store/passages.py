"""Archives' passages: inserted, superseded, searched; never overwritten."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import AgentArchive, Passage, PassageHit, now
from pagemind.records.search import CONFIDENCE, NOTHING_FILTERED, Filters
from pagemind.store import search
from pagemind.store.driver import rows
from pagemind.store.hybrid import raw_scores, vector_text
from pagemind.store.keyset import Slice, sliced
from pagemind.store.narrowing import Conditions, of_passages
from pagemind.store.search import Understood, Wanted
from pagemind.store.spaces import PASSAGES, Scope


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


_ARCHIVES: dict[Within, tuple[str, str, str]] = {
    Within.agent: ("agent_archives a", "a.archive_id", "a.agent_id = %(owner)s::uuid"),
    Within.archive: ("archives a", "a.id", "a.id = %(owner)s::uuid AND a.deleted_at IS NULL"),
    Within.folders: (
        "agent_folders a JOIN folders o ON o.tenant_id = a.tenant_id AND o.id = a.folder_id",
        "o.archive_id",
        "a.agent_id = %(owner)s::uuid",
    ),
    Within.tenant: ("archives a", "a.id", "a.deleted_at IS NULL AND %(owner)s::uuid IS NULL"),
}
"""Where the archives of a scope are, their id there, and which they are."""
_OF_NO_FILE = "p.file_id IS NULL"
_FOUND = """
    SELECT p.id, p.text, p.tags, p.source, p.created_at, p.archive_id, p.file_id, p.extra, p.origin, p.confidence, p.review_by,
           p.refreshed_at, p.identity_id, b.words AS by_words, b.cosine
      FROM best b JOIN passages p ON p.id = b.id ORDER BY p.created_at
        """
NEWEST = {Within.tenant: 4}
"""Among so many of the newest of each archive those are looked for that lack their vector; else among ``NEWEST_OF_FEW``."""
NEWEST_OF_FEW = 64
# Row by row, by the indexes: a search asks this each time, and of a million passages nearly all have their vectors.
# The vectors are looked up at once: of a table that was filled just now the planner would scan an archive's for each passage.
_LACKING = """
WITH newest AS MATERIALIZED (
    SELECT n.id, n.text, n.created_at
      FROM ({archives}) AS a
     CROSS JOIN LATERAL (
           SELECT p.id, p.text, p.created_at FROM passages p
            WHERE p.archive_id = a.id AND p.superseded_at IS NULL AND {narrow}
            ORDER BY p.created_at DESC LIMIT %(newest)s) AS n
     WHERE EXISTS (SELECT FROM unembedded u WHERE u.model = %(model)s AND u.kind = 'passage')
        OR NOT EXISTS (SELECT FROM embedding_models m WHERE m.model = %(model)s AND m.kept_up AND m.queued)
)
SELECT id, text FROM newest
 WHERE id <> ALL (ARRAY(SELECT e.passage_id FROM passage_embeddings e
                         WHERE e.passage_id = ANY (ARRAY(SELECT id FROM newest)) AND e.model = %(model)s))
 ORDER BY created_at DESC LIMIT %(limit)s
"""


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
        .where(col(AgentArchive.agent_id) == agent_id, *in_force())
        .order_by(col(Passage.created_at).desc(), col(Passage.id))
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def count(session: AsyncSession, agent_id: UUID) -> int:
    """How many passages in force the agent's archives hold."""
    query = (
        select(func.count(col(Passage.id)))
        .join(AgentArchive, col(AgentArchive.archive_id) == Passage.archive_id)
        .where(col(AgentArchive.agent_id) == agent_id, *in_force())
    )
    return (await session.execute(query)).scalar_one()


async def page(
    session: AsyncSession, page: Slice, *, agent_id: UUID | None = None, archive_id: UUID | None = None, words: str = ""
) -> Sequence[Passage]:
    """A page of the passages in force of an agent's archives, or of one archive; ``words`` must stand in the text."""
    query = of_agent(agent_id) if agent_id is not None else select(Passage).where(col(Passage.archive_id) == archive_id)
    query = query.where(*in_force())
    if words:
        query = query.where(func.strpos(func.lower(col(Passage.text)), words.lower()) > 0)
    return await sliced(session, query, Passage, page)


def in_force() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """What makes a passage one in force: it is not superseded, and has not expired."""
    expires_at = col(Passage.expires_at)
    return col(Passage.superseded_at).is_(None), or_(expires_at.is_(None), expires_at > func.now())


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
    filters: Filters = NOTHING_FILTERED,
    confidence: Mapping[str, float] = CONFIDENCE,
    limit: int = 10,
) -> list[Passage]:
    """The newest passages that a search could bring, where nothing is looked for."""
    scope, narrow = scope_of(owner, within), narrowed(within, filters, confidence)
    statement = f"""
    SELECT p.id {scope.of("passages", "p")} AND {narrow.sql} ORDER BY p.created_at DESC, p.id LIMIT %(limit)s
    """
    found = await rows(session, statement, {**scope.values, **narrow.values, "limit": limit})
    by_id = await by_ids(session, [row.id for row in found])
    return [by_id[row.id] for row in found]


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
    """Passages among the newest of that scope without a vector by this model, the newest first."""
    scope = scope_of(owner, within)
    statement = _LACKING.format(archives=scope.archives, narrow=_OF_NO_FILE if within is Within.tenant else "true")
    values = {"model": model, "limit": limit, "newest": NEWEST.get(within, NEWEST_OF_FEW)}
    found = await rows(session, statement, {**scope.values, **values})
    return [Lacking(row.id, row.text) for row in found]


async def understand(session: AsyncSession, owner: UUID | None, within: Within, query: str) -> Understood:
    """The query, for several `candidates`."""
    return await search.understand(session, PASSAGES, scope_of(owner, within), query)


async def candidates(
    session: AsyncSession,
    owner: UUID | None,
    *,
    within: Within = Within.agent,
    query: str,
    understood: Understood | None = None,
    vector: Sequence[float] | None = None,
    model: str | None = None,
    filters: Filters = NOTHING_FILTERED,
    confidence: Mapping[str, float] = CONFIDENCE,
    pool: int = 100,
    exact: bool = False,
) -> list[PassageHit]:
    """The best ``pool`` passages by words and the best by meaning, with raw ``scores`` and ``score`` 0; fuse them next.

    They are in force, not expired, in the scope that ``owner`` and ``within`` name, and as the filters say; ``confidence``
    says how far an origin is trusted. ``scores`` has ``words`` (BM25) and ``vector`` (exact cosine; only where ``vector`` and
    ``model`` are given and the passage has its vector). ``understood`` is the query where `understand` had it before;
    ``exact`` looks at every row, whatever it costs.
    """
    scope, narrow = scope_of(owner, within), narrowed(within, filters, confidence)
    understood = understood or await search.understand(session, PASSAGES, scope, query)
    wanted = Wanted(understood, vector_text(vector), model, pool, filters=filters, exact=exact)
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
            origin=row.origin,
            confidence=row.confidence,
            review_by=row.review_by,
            refreshed_at=row.refreshed_at,
            identity_id=row.identity_id,
        )
        for row in await search.search(session, PASSAGES, scope, narrow, wanted, _FOUND)
    ]


def scope_of(owner: UUID | None, within: Within) -> Scope:
    """The archives whose passages are searched."""
    source, id, where = _ARCHIVES[within]
    rows_of = (
        f"FROM {source} JOIN {{table}} {{row}} ON {{row}}.tenant_id = a.tenant_id AND {{row}}.archive_id = {id} WHERE {where}"
    )
    return Scope(rows_of, {"owner": owner}, archives=f"SELECT {id} AS id FROM {source} WHERE {where}")  # noqa: S608 - constants


def narrowed(within: Within, filters: Filters, confidence: Mapping[str, float]) -> Conditions:
    """What a passage must be; one of a file is only found where files are searched, or their archive itself."""
    narrow = of_passages(filters, confidence)
    return Conditions([*narrow.each, _OF_NO_FILE], narrow.values) if within is Within.tenant else narrow
