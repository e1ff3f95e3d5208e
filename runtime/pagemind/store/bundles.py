"""Rows that come in whole, with ids of their own: which are there already, and many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from pagemind.records import AgentArchive, Archive, Conversation, Message, StoredTool

AT_ONCE = 5_000
"""Ids or rows in one statement: a statement has at most 65,535 parameters."""
TAKEN_OVER = ("title", "next_seq", "resident_from", "summary", "summary_tokens", "turns", "paged_out", "extra")
"""What a conversation that was made with its agent takes over from the one that came in."""


async def known(session: AsyncSession, model: type[SQLModel], wanted: Sequence[UUID]) -> set[UUID]:
    """Those of the ids that a row has, in sight or not: what was deleted does not come back."""
    columns: Any = model
    found: set[UUID] = set()
    for first in range(0, len(wanted), AT_ONCE):
        query = select(col(columns.id)).where(col(columns.id).in_(wanted[first : first + AT_ONCE]))
        found.update((await session.execute(query)).scalars())
    return found


async def tool_names(session: AsyncSession) -> set[str]:
    """The names of all stored tools."""
    return set((await session.execute(select(col(StoredTool.name)))).scalars())


async def archives_of(session: AsyncSession, agent_id: UUID) -> list[Archive]:
    """The agent's archives, the one that it writes to first."""
    query = (
        select(Archive)
        .join(AgentArchive, (col(AgentArchive.tenant_id) == Archive.tenant_id) & (col(AgentArchive.archive_id) == Archive.id))
        .where(col(AgentArchive.agent_id) == agent_id, col(Archive.deleted_at).is_(None))
        .order_by(col(AgentArchive.position), col(AgentArchive.archive_id))
    )
    return list((await session.execute(query)).scalars())


async def archives_in_force(session: AsyncSession, wanted: Sequence[UUID]) -> set[UUID]:
    """Those of the archives that were not deleted."""
    query = select(col(Archive.id)).where(col(Archive.id).in_(wanted), col(Archive.deleted_at).is_(None))
    return set((await session.execute(query)).scalars())


async def take_over(session: AsyncSession, conversation: Conversation, given: Conversation) -> None:
    """Let a new conversation be what another says of itself, its id apart."""
    for name in TAKEN_OVER:
        setattr(conversation, name, getattr(given, name))
    await session.flush()


async def add_messages(session: AsyncSession, messages: Sequence[Message]) -> None:
    """Store messages that have their places."""
    for first in range(0, len(messages), AT_ONCE):
        await session.execute(insert(Message), [message.model_dump() for message in messages[first : first + AT_ONCE]])
