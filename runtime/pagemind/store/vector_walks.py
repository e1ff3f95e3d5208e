"""Walks over all texts or vectors of a tenant, a bounded batch a transaction: queue what lacks a vector, count, remove."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.store.embeddings import Kind

BATCH = 5000
FIRST = UUID(int=0)
"""Before every id."""

_WANTED: dict[Kind, tuple[str, str]] = {
    "passage": ("superseded_at IS NULL", "file_id IS NOT NULL"),
    "message": ("role IN ('user', 'assistant') AND content <> ''", "false"),
}
"""Which texts get a vector, and which of them came in bulk."""
_QUEUE = """
WITH part AS (SELECT id, {bulk} AS bulk, {wanted} AS wanted FROM {kind}s WHERE id > :after ORDER BY id LIMIT :limit),
queued AS (
    INSERT INTO unembedded (tenant_id, model, kind, id, bulk, due_at)
    SELECT CAST(:tenant AS uuid), CAST(:model AS varchar), '{kind}', id, bulk, 'epoch' FROM part
     WHERE wanted AND NOT EXISTS (
           SELECT FROM {kind}_embeddings e
            WHERE e.tenant_id = CAST(:tenant AS uuid) AND e.{kind}_id = part.id AND e.model = CAST(:model AS varchar))
    ON CONFLICT DO NOTHING)
SELECT id FROM part ORDER BY id DESC LIMIT 1
"""
_REMOVE = """
WITH part AS (SELECT tenant_id, {kind}_id, model
                FROM {kind}_embeddings WHERE {kind}_id > :after ORDER BY {kind}_id LIMIT :limit),
removed AS (
    DELETE FROM {kind}_embeddings e USING part
     WHERE part.model = :model AND e.tenant_id = part.tenant_id AND e.{kind}_id = part.{kind}_id AND e.model = part.model
    RETURNING 1)
SELECT (SELECT {kind}_id FROM part ORDER BY {kind}_id DESC LIMIT 1) AS last, (SELECT count(*) FROM removed) AS removed
"""
_MARK = text("SELECT pg_current_xact_id()::text::bigint")
_OLDEST = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
_TEXTS = text(
    "SELECT " + " + ".join(f"(SELECT count(*) FROM {kind}s WHERE {wanted})" for kind, (wanted, _) in _WANTED.items())  # noqa: S608
)
_VECTORS = text("""
SELECT model, sum(vectors)::bigint AS vectors
  FROM (SELECT model, count(*) AS vectors FROM passage_embeddings GROUP BY model
        UNION ALL SELECT model, count(*) FROM message_embeddings GROUP BY model) AS each GROUP BY model
""")
_LACKING = text("""
SELECT (SELECT count(*) FROM passages p WHERE p.superseded_at IS NULL AND NOT EXISTS (
            SELECT FROM passage_embeddings e WHERE e.tenant_id = p.tenant_id AND e.passage_id = p.id AND e.model = :model))
     + (SELECT count(*) FROM messages m WHERE m.role IN ('user', 'assistant') AND m.content <> '' AND NOT EXISTS (
            SELECT FROM message_embeddings e WHERE e.tenant_id = m.tenant_id AND e.message_id = m.id AND e.model = :model))
""")


@dataclass(frozen=True)
class Removed:
    """A part of a walk that removes: where it ended, None at the end of all, and how many vectors went."""

    last: UUID | None
    vectors: int


async def queue_part(session: AsyncSession, tenant_id: UUID, model: str, kind: Kind, after: UUID) -> UUID | None:
    """Queue those of the next texts that have no vector by ``model``; the last id looked at, None at the end."""
    values = {"tenant": tenant_id, "model": model, "after": after, "limit": BATCH}
    wanted, bulk = _WANTED[kind]
    return await session.scalar(text(_QUEUE.format(kind=kind, wanted=wanted, bulk=bulk)), values)


async def remove_part(session: AsyncSession, model: str, kind: Kind, after: UUID) -> Removed:
    """Remove those of the next vectors that are by ``model``."""
    row = (await session.execute(text(_REMOVE.format(kind=kind)), {"model": model, "after": after, "limit": BATCH})).one()
    return Removed(row.last, row.removed)


async def mark(session: AsyncSession) -> int:
    """The number of this transaction, by which `oldest_writer` tells whether all that wrote before it have ended."""
    return (await session.execute(_MARK)).scalar_one()


async def oldest_writer(session: AsyncSession) -> int:
    """The number of the oldest transaction that writes and has not ended; that of the next one where there is none."""
    return (await session.execute(_OLDEST)).scalar_one()


async def count_texts(session: AsyncSession) -> int:
    """How many texts want a vector: passages in force, and what users and assistants said."""
    return (await session.execute(_TEXTS)).scalar_one()


async def count_vectors(session: AsyncSession) -> dict[str, int]:
    """How many vectors there are by each model."""
    return {row.model: row.vectors for row in await session.execute(_VECTORS)}


async def count_lacking(session: AsyncSession, model: str) -> int:
    """How many texts have no vector by ``model``, counted one by one: what the queue says without counting."""
    return (await session.execute(_LACKING, {"model": model})).scalar_one()
