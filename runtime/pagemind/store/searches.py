"""What was searched for lately, and what is nearest to a vector: for comparing embedding models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.store.hybrid import vector_text

RUNS_LOOKED_AT = 20_000

Place = Literal["agent", "conversation", "archive", "tenant"]
"""What a search goes over: an agent's archives, the messages of a conversation, one archive, or all archives."""

_CALLS = text("""
WITH newest AS (SELECT tenant_id, id, agent_id, conversation_id FROM runs ORDER BY position DESC LIMIT :runs)
SELECT e.data->>'name' AS name, e.data->>'arguments' AS arguments, n.agent_id, n.conversation_id
  FROM newest n JOIN run_events e ON e.tenant_id = n.tenant_id AND e.run_id = n.id
 WHERE e.data->>'type' = 'tool_returned' AND e.data->>'status' = 'ok' AND e.data->>'name' = ANY (CAST(:names AS text[]))
 ORDER BY e.created_at DESC, e.seq DESC LIMIT :limit
""")
_NEWEST = text("""
SELECT p.archive_id, p.text FROM passages p JOIN archives a ON a.tenant_id = p.tenant_id AND a.id = p.archive_id
 WHERE p.superseded_at IS NULL AND p.file_id IS NULL AND a.deleted_at IS NULL ORDER BY p.created_at DESC LIMIT :limit
""")
_PASSAGES = """
SELECT p.id, left(p.text, 200) AS text FROM {scope}
  JOIN passage_embeddings e ON e.tenant_id = p.tenant_id AND e.passage_id = p.id AND e.model = :model
 WHERE {place} AND p.superseded_at IS NULL AND (p.expires_at IS NULL OR p.expires_at > now())
 ORDER BY e.embedding <=> CAST(:vector AS halfvec), p.id LIMIT :limit
"""
_ARCHIVES = "passages p JOIN archives a ON a.tenant_id = p.tenant_id AND a.id = p.archive_id AND a.deleted_at IS NULL"
_NEAREST: dict[Place, str] = {
    "agent": _PASSAGES.format(
        scope="agent_archives a JOIN passages p ON p.tenant_id = a.tenant_id AND p.archive_id = a.archive_id",
        place="a.agent_id = :owner",
    ),
    "archive": _PASSAGES.format(scope=_ARCHIVES, place="p.archive_id = :owner"),
    "tenant": _PASSAGES.format(scope=_ARCHIVES, place="p.file_id IS NULL AND CAST(:owner AS uuid) IS NULL"),
    "conversation": """
SELECT m.id, left(m.content, 200) AS text FROM messages m
  JOIN message_embeddings e ON e.tenant_id = m.tenant_id AND e.message_id = m.id AND e.model = :model
 WHERE m.conversation_id = :owner AND m.seq IS NOT NULL AND m.role IN ('user', 'assistant')
 ORDER BY e.embedding <=> CAST(:vector AS halfvec), m.id LIMIT :limit
""",
}


@dataclass(frozen=True)
class Call:
    """A call of a searching tool by an agent; ``arguments`` is the JSON text that the model wrote."""

    name: str
    arguments: str
    agent_id: UUID
    conversation_id: UUID


@dataclass(frozen=True)
class Near:
    """A text that is near, and how it begins."""

    id: UUID
    text: str


async def calls(session: AsyncSession, names: Sequence[str], limit: int) -> list[Call]:
    """The latest calls of these tools that went well, the newest first, as far back as the newest 20,000 runs."""
    rows = await session.execute(_CALLS, {"names": list(names), "limit": limit, "runs": RUNS_LOOKED_AT})
    return [Call(row.name, row.arguments or "", row.agent_id, row.conversation_id) for row in rows]


async def newest_passages(session: AsyncSession, limit: int) -> list[tuple[UUID, str]]:
    """The archive and the text of the newest passages that are no pieces of files."""
    return [(row.archive_id, row.text) for row in await session.execute(_NEWEST, {"limit": limit})]


async def nearest(
    session: AsyncSession, place: Place, owner: UUID | None, vector: Sequence[float], model: str, limit: int
) -> list[Near]:
    """The texts there that are nearest by the model's vectors, exactly: every vector of the place is looked at."""
    values = {"owner": owner, "vector": vector_text(vector), "model": model, "limit": limit}
    return [Near(row.id, row.text) for row in await session.execute(text(_NEAREST[place]), values)]
