"""Snapshots: the blocks as the conversations of an agent show them until they are rendered anew."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# A conversation that a run is at keeps its prompt until the run has ended: what it began with, it ends with.
# They are locked in the order of their ids, as everywhere, so that no two transactions wait for each other.
_FORGET = text(
    """
    WITH held AS MATERIALIZED (
        SELECT c.id FROM conversations c
         WHERE c.agent_id = ANY(CAST(:agent_ids AS uuid[])) AND c.snapshot IS NOT NULL
         ORDER BY c.id FOR NO KEY UPDATE OF c
    )
    UPDATE conversations c SET snapshot = NULL, prefix = NULL
      FROM held
     WHERE c.id = held.id
       AND NOT EXISTS (
           SELECT 1 FROM runs r
            WHERE r.tenant_id = c.tenant_id AND r.conversation_id = c.id AND r.state IN ('queued', 'running'))
    """
)


async def forget(session: AsyncSession, agent_ids: Sequence[UUID]) -> None:
    """Let the agents' conversations, but those that a run is at, begin its next prompt with blocks as they are."""
    if agent_ids:
        await session.execute(_FORGET, {"agent_ids": list(agent_ids)})
