"""What agents did last, and what they are at."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.records import Message, Run

_LAST = text(
    """
    SELECT a.id AS agent_id, r.state, r.stop_reason, r.finished_at, r.started_at, r.created_at
      FROM unnest(CAST(:ids AS uuid[])) AS a (id)
      CROSS JOIN LATERAL (
          SELECT * FROM runs WHERE runs.agent_id = a.id AND runs.finished_at IS NOT NULL ORDER BY runs.position DESC LIMIT 1
      ) AS r
    """
)
_MAIN = text(
    """
    SELECT c.agent_id, c.id,
           ARRAY(SELECT m.id FROM messages m
                  WHERE m.tenant_id = c.tenant_id AND m.conversation_id = c.id AND m.seq >= c.resident_from
                    AND m.role <> 'notice'
                  ORDER BY m.seq) AS resident
      FROM conversations c WHERE c.main AND c.agent_id = ANY(CAST(:ids AS uuid[]))
    """
)
_LAST_MESSAGE = text(
    """
    SELECT c.agent_id, m.id
      FROM conversations c
      CROSS JOIN LATERAL (
          SELECT m.id FROM messages m
           WHERE m.tenant_id = c.tenant_id AND m.conversation_id = c.id AND m.seq > 0 AND m.role <> 'approval'
           ORDER BY m.seq DESC LIMIT 1
      ) AS m
     WHERE c.main AND c.agent_id = ANY(CAST(:ids AS uuid[]))
    """
)


@dataclass(frozen=True)
class MainTalk:
    """An agent's main conversation and the messages in its window, in order."""

    conversation_id: UUID
    resident: Sequence[UUID]


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


async def main_talks(session: AsyncSession, agent_ids: Collection[UUID]) -> dict[UUID, MainTalk]:
    """The main conversation of each agent that has one."""
    rows = (await session.execute(_MAIN, {"ids": list(agent_ids)})).mappings()
    return {row["agent_id"]: MainTalk(row["id"], row["resident"]) for row in rows}


async def last_messages(session: AsyncSession, agent_ids: Collection[UUID]) -> dict[UUID, Message]:
    """The last message of each agent's main conversation, approvals apart."""
    last = {row["id"]: row["agent_id"] for row in (await session.execute(_LAST_MESSAGE, {"ids": list(agent_ids)})).mappings()}
    found = (await session.execute(select(Message).where(col(Message.id).in_(last)))).scalars()
    return {last[message.id]: message for message in found}


async def unfinished(session: AsyncSession, agent_id: UUID) -> list[UUID]:
    """The agent's runs that are not at their end."""
    query = select(col(Run.id)).where(col(Run.agent_id) == agent_id, col(Run.state).in_(("queued", "running")))
    return list((await session.execute(query)).scalars())
