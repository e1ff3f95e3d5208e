"""The vectors of passages and messages, one per embedding model, and the queue of the texts that lack one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.errors import EmbedderMismatch
from pagemind.store import embedding_models
from pagemind.store.hybrid import vector_text

Kind = Literal["passage", "message"]
KINDS: tuple[Kind, ...] = ("message", "passage")


@dataclass(frozen=True)
class Due:
    """A text that lacks its vector and is to get it now."""

    kind: Kind
    id: UUID
    text: str


PIECES_AT_ONCE = 32
FIRST_PAUSE_SECONDS = 60
LONGEST_PAUSE_SECONDS = 86_400

# Pieces of files come last, and few at a time: a large upload must not keep what was said or stored just now waiting.
# ``failures >= 0`` is always so, and lets the partial index be used.
_DUE = text("""
SELECT u.kind, u.id, coalesce(p.text, m.content) AS text
  FROM (
    (SELECT kind, id FROM unembedded WHERE model = :model AND NOT bulk AND due_at <= now() AND failures >= 0
      ORDER BY due_at LIMIT :limit)
    UNION ALL
    (SELECT kind, id FROM unembedded WHERE model = :model AND bulk AND due_at <= now() AND failures >= 0
      ORDER BY due_at LIMIT :pieces)
    LIMIT :limit
  ) u
  LEFT JOIN passages p ON u.kind = 'passage' AND p.id = u.id AND p.superseded_at IS NULL
  LEFT JOIN messages m ON u.kind = 'message' AND m.id = u.id
""")
_DROP = text("""
DELETE FROM unembedded WHERE model = :model AND kind = :kind AND id = ANY (CAST(:ids AS uuid[]))
""")
_PUT_OFF = text("""
UPDATE unembedded
   SET failures = failures + 1, due_at = now() + make_interval(secs => least(:first * 4.0 ^ least(failures, 20), :longest))
 WHERE model = :model AND kind = :kind AND id = ANY (CAST(:ids AS uuid[]))
""")
_REFUSED = text("SELECT count(*) FROM unembedded WHERE model = :model AND failures > 0")
_WAITING = text("""
SELECT count(*) FROM unembedded
 WHERE model = :model AND failures = 0 AND due_at <= now() - make_interval(secs => :older_seconds)
""")
_ANY_TEXT = text("""
SELECT EXISTS (SELECT FROM passages WHERE superseded_at IS NULL)
    OR EXISTS (SELECT FROM messages WHERE role IN ('user', 'assistant') AND content <> '')
""")

# In the order of ids, so that two who store the same vectors wait for each other and never both. A row that is not (or no
# longer) there is passed over.
_PUT: dict[Kind, str] = {
    "passage": """
INSERT INTO passage_embeddings (tenant_id, passage_id, model, archive_id, embedding)
SELECT t.tenant_id, t.id, :model, t.archive_id, v.vector::halfvec
  FROM unnest(CAST(:ids AS uuid[]), CAST(:vectors AS text[])) AS v (id, vector) JOIN passages t ON t.id = v.id
 ORDER BY t.id
ON CONFLICT (tenant_id, passage_id, model) DO UPDATE SET embedding = excluded.embedding
""",
    "message": """
INSERT INTO message_embeddings (tenant_id, message_id, model, conversation_id, embedding)
SELECT t.tenant_id, t.id, :model, t.conversation_id, v.vector::halfvec
  FROM unnest(CAST(:ids AS uuid[]), CAST(:vectors AS text[])) AS v (id, vector) JOIN messages t ON t.id = v.id
 ORDER BY t.id
ON CONFLICT (tenant_id, message_id, model) DO UPDATE SET embedding = excluded.embedding
""",
}


async def due(session: AsyncSession, model: str, limit: int = 256, *, pieces: int = PIECES_AT_ONCE) -> list[Due]:
    """Up to ``limit`` texts that lack their vector by ``model``, those that wait longest first; pieces of files behind.

    What is no longer there to be embedded leaves the queue. Nothing is found where nothing is missing, at no cost.
    """
    values = {"model": model, "limit": limit, "pieces": min(limit, pieces)}
    while rows := (await session.execute(_DUE, values)).all():
        for kind in KINDS:
            gone = [row.id for row in rows if row.kind == kind and row.text is None]
            if gone:
                await session.execute(_DROP, {"model": model, "kind": kind, "ids": gone})
        if found := [Due(row.kind, row.id, row.text) for row in rows if row.text is not None]:
            return found
    return []


async def put(session: AsyncSession, model: str, kind: Kind, vectors: Mapping[UUID, Sequence[float]]) -> None:
    """Store unit vectors by the id of their passage or message, in one statement; an older one is replaced."""
    if vectors:
        values = {"model": model, "ids": list(vectors), "vectors": [vector_text(vector) for vector in vectors.values()]}
        await session.execute(text(_PUT[kind]), values)


async def lay(session: AsyncSession, tenant_id: UUID, model: str, kind: Kind, vectors: Mapping[UUID, Sequence[float]]) -> None:
    """Store vectors by a model that the tenant has; where it has none yet, this one serves from now on.

    Those by a model that was removed meanwhile are dropped. Raises EmbedderMismatch where the model's vectors have another
    length, UnknownRecord without such a tenant.
    """
    if not vectors:
        return
    dimensions = len(next(iter(vectors.values())))
    known = await embedding_models.bind(session, tenant_id, model, dimensions)
    if known is None:
        return
    if known != dimensions:
        raise EmbedderMismatch(stored=model, stored_dimensions=known, model=model, dimensions=dimensions)
    await put(session, model, kind, vectors)


async def put_off(session: AsyncSession, model: str, kind: Kind, ids: Collection[UUID]) -> None:
    """These texts failed: they are tried again after a minute, then after four, and so on up to a day."""
    if ids:
        values = {"model": model, "kind": kind, "ids": list(ids)}
        await session.execute(_PUT_OFF, {**values, "first": FIRST_PAUSE_SECONDS, "longest": LONGEST_PAUSE_SECONDS})


async def waiting(session: AsyncSession, model: str, *, older_seconds: float = 0.0) -> int:
    """How many texts wait for their vector by ``model`` for longer than that, refused ones apart."""
    return (await session.execute(_WAITING, {"model": model, "older_seconds": older_seconds})).scalar_one()


async def refused(session: AsyncSession, model: str) -> int:
    """How many texts the model has refused."""
    return (await session.execute(_REFUSED, {"model": model})).scalar_one()


async def any_text(session: AsyncSession) -> bool:
    """Whether the tenant has any text that wants a vector."""
    return bool(await session.scalar(_ANY_TEXT))
