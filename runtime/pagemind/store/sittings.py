"""Sittings: stretches of a conversation with no long pause in them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

LOOKED_AT = 20_000
"""So many of the newest messages are looked at."""
_NEWEST = text("""
WITH said AS (
    SELECT conversation_id, created_at FROM messages
     WHERE conversation_id = ANY (:conversations) AND seq IS NOT NULL AND role IN ('user', 'assistant')
     ORDER BY created_at DESC LIMIT :looked_at
), begun AS (
    SELECT conversation_id, created_at,
           created_at - lag(created_at) OVER (PARTITION BY conversation_id ORDER BY created_at) > :apart AS begins
      FROM said
), numbered AS (
    SELECT conversation_id, created_at,
           count(*) FILTER (WHERE begins) OVER (PARTITION BY conversation_id ORDER BY created_at) AS number
      FROM begun
)
SELECT min(created_at) AS start, max(created_at) AS last FROM numbered
 GROUP BY conversation_id, number ORDER BY last DESC LIMIT :limit
""")


async def newest(
    session: AsyncSession, conversation_ids: UUID | Collection[UUID], *, apart: timedelta, limit: int
) -> list[tuple[datetime, datetime]]:
    """When the newest sittings began and ended, the newest first; between two there is a pause longer than ``apart``.

    The end is a microsecond past the last message.
    """
    ids = [conversation_ids] if isinstance(conversation_ids, UUID) else list(conversation_ids)
    values = {"conversations": ids, "apart": apart, "limit": limit, "looked_at": LOOKED_AT}
    rows = await session.execute(_NEWEST, values)
    return [(row.start, row.last + timedelta(microseconds=1)) for row in rows]
