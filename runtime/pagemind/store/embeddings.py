"""The vectors of passages and messages, one per embedding model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import EmbedderMismatch, UnknownRecord
from pagemind.records import Tenant
from pagemind.store.hybrid import vector_text

Kind = Literal["passage", "message"]


@dataclass(frozen=True)
class Unembedded:
    """A text that lacks its vector."""

    kind: Kind
    id: UUID
    text: str


PIECES_AT_ONCE = 32

# Pieces of files come last, and few at a time: a large upload must not keep what was said or stored just now waiting.
_WITHOUT_SQL = """
(SELECT 'passage' AS kind, p.id, p.text FROM passages p
  WHERE p.superseded_at IS NULL AND p.file_id IS NULL AND NOT EXISTS (
      SELECT FROM passage_embeddings e WHERE e.tenant_id = p.tenant_id AND e.passage_id = p.id AND e.model = :model)
  LIMIT :limit)
UNION ALL
(SELECT 'message', m.id, m.content FROM messages m
  WHERE m.role IN ('user', 'assistant') AND m.content <> '' AND NOT EXISTS (
      SELECT FROM message_embeddings e WHERE e.tenant_id = m.tenant_id AND e.message_id = m.id AND e.model = :model)
  LIMIT :limit)
UNION ALL
(SELECT 'passage', p.id, p.text FROM passages p
  WHERE p.superseded_at IS NULL AND p.file_id IS NOT NULL AND NOT EXISTS (
      SELECT FROM passage_embeddings e WHERE e.tenant_id = p.tenant_id AND e.passage_id = p.id AND e.model = :model)
  LIMIT :pieces)
LIMIT :limit
"""
_WITHOUT = text(_WITHOUT_SQL)
_COUNT_WITHOUT = text(f"SELECT count(*) FROM ({_WITHOUT_SQL}) AS lacking")  # noqa: S608 - a constant

# A row that is not (or no longer) there is passed over.
_PUT: dict[Kind, str] = {
    "passage": """
INSERT INTO passage_embeddings (tenant_id, passage_id, model, archive_id, embedding)
SELECT t.tenant_id, t.id, :model, t.archive_id, v.vector::halfvec
  FROM unnest(CAST(:ids AS uuid[]), CAST(:vectors AS text[])) AS v (id, vector) JOIN passages t ON t.id = v.id
ON CONFLICT (tenant_id, passage_id, model) DO UPDATE SET embedding = excluded.embedding
""",
    "message": """
INSERT INTO message_embeddings (tenant_id, message_id, model, conversation_id, embedding)
SELECT t.tenant_id, t.id, :model, t.conversation_id, v.vector::halfvec
  FROM unnest(CAST(:ids AS uuid[]), CAST(:vectors AS text[])) AS v (id, vector) JOIN messages t ON t.id = v.id
ON CONFLICT (tenant_id, message_id, model) DO UPDATE SET embedding = excluded.embedding
""",
}


async def without(session: AsyncSession, model: str, limit: int = 256) -> list[Unembedded]:
    """Up to ``limit`` passages in force and messages of user and assistant that have no vector under ``model`` yet."""
    values = {"model": model, "limit": limit, "pieces": min(limit, PIECES_AT_ONCE)}
    rows = await session.execute(_WITHOUT, values)
    return [Unembedded(row.kind, row.id, row.text) for row in rows]


async def put(session: AsyncSession, model: str, kind: Kind, vectors: Mapping[UUID, Sequence[float]]) -> None:
    """Store unit vectors by the id of their passage or message, in one statement; an older one is replaced."""
    if vectors:
        values = {"model": model, "ids": list(vectors), "vectors": [vector_text(vector) for vector in vectors.values()]}
        await session.execute(text(_PUT[kind]), values)


async def bind_model(session: AsyncSession, tenant_id: UUID, name: str, dimensions: int) -> None:
    """Fix the tenant's embedding model, if none is fixed yet; ``EmbedderMismatch`` if it is another one."""
    # It is fixed but once, and looked at with every vector.
    tenant = await session.get(Tenant, tenant_id, populate_existing=True)
    if tenant is None:
        raise UnknownRecord(kind="tenant", id=str(tenant_id))
    if tenant.embedding_model is None:
        fixed = await session.execute(
            update(Tenant)
            .where(col(Tenant.id) == tenant_id, col(Tenant.embedding_model).is_(None))
            .values(embedding_model=name, embedding_dimensions=dimensions)
            .returning(col(Tenant.id))
            .execution_options(synchronize_session=False)
        )
        if fixed.scalar_one_or_none() is not None:
            return
        await session.refresh(tenant)
    if (tenant.embedding_model, tenant.embedding_dimensions) != (name, dimensions):
        raise EmbedderMismatch(
            stored=tenant.embedding_model, stored_dimensions=tenant.embedding_dimensions, model=name, dimensions=dimensions
        )


async def rebind_model(session: AsyncSession, tenant_id: UUID, name: str, dimensions: int) -> None:
    """Hold the tenant to another embedding model, whose vectors must be there already; those of the old one stay."""
    await session.execute(
        update(Tenant)
        .where(col(Tenant.id) == tenant_id)
        .values(embedding_model=name, embedding_dimensions=dimensions)
        .execution_options(synchronize_session=False)
    )


async def count_without(session: AsyncSession, model: str) -> int:
    """How many texts have no vector under ``model``."""
    return (await session.execute(_COUNT_WITHOUT, {"model": model, "limit": None, "pieces": None})).scalar_one()
