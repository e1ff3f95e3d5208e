"""What agents did last, and what they are at."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.records import Run

_LAST = text(
    """
    SELECT a.id AS agent_id, r.state, r.stop_reason, r.finished_at, r.started_at, r.created_at
      FROM unnest(CAST(:ids AS uuid[])) AS a (id)
      CROSS JOIN LATERAL (
          SELECT * FROM runs WHERE runs.agent_id = a.id AND runs.finished_at IS NOT NULL ORDER BY runs.position DESC LIMIT 1
      ) AS r
    """
)
_RESIDENT = text(
    """
    SELECT c.agent_id, array_agg(m.id ORDER BY m.seq) AS ids
      FROM conversations c
      JOIN messages m ON m.tenant_id = c.tenant_id AND m.conversation_id = c.id AND m.seq >= c.resident_from
     WHERE c.main AND c.agent_id = ANY(CAST(:ids AS uuid[])) AND m.role <> 'notice'
     GROUP BY c.agent_id
    """
)


@dataclass(frozen=True)
class LastRun:
    """The newest run of an agent that ended."""

    state: str
    stop_reason: str | None
    began_at: datetime
    finished_at: datetime


async def last_runs(session: AsyncSession, agent_ids: Collection[UUID]) -> dict[UUID, LastRun]:
    """The newest run that ended of each agent that had one."""
    rows = (await session.execute(_LAST, {"ids": list(agent_ids)})).mappings()
    return {
        row["agent_id"]: LastRun(row["state"], row["stop_reason"], row["started_at"] or row["created_at"], row["finished_at"])
        for row in rows
    }


async def resident_ids(session: AsyncSession, agent_ids: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """The messages in the window of each agent's main conversation, by agent, in order."""
    rows = (await session.execute(_RESIDENT, {"ids": list(agent_ids)})).mappings()
    return {row["agent_id"]: row["ids"] for row in rows}


async def unfinished(session: AsyncSession, agent_id: UUID) -> list[UUID]:
    """The agent's runs that are not at their end."""
    query = select(col(Run.id)).where(col(Run.agent_id) == agent_id, col(Run.state).in_(("queued", "running")))
    return list((await session.execute(query)).scalars())
