"""Conversations and the places of messages in them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import cast, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import Agent, Conversation


async def add(session: AsyncSession, conversation: Conversation) -> Conversation:
    """Store a new conversation."""
    session.add(conversation)
    await session.flush()
    return conversation


async def get(session: AsyncSession, conversation_id: UUID, *, lock: bool = False) -> Conversation:
    """The conversation, locked until the transaction ends if ``lock``; UnknownRecord if there is none."""
    query = select(Conversation).where(col(Conversation.id) == conversation_id, col(Conversation.deleted_at).is_(None))
    if lock:
        query = query.with_for_update(key_share=True)
    conversation = (await session.execute(query)).scalar_one_or_none()
    if conversation is None:
        raise UnknownRecord(kind="conversation", id=str(conversation_id))
    return conversation


async def of_agent(session: AsyncSession, agent_id: UUID, limit: int = 50) -> list[Conversation]:
    """The agent's conversations that are not archived, the one used last first."""
    query = (
        select(Conversation)
        .where(
            col(Conversation.agent_id) == agent_id,
            col(Conversation.archived_at).is_(None),
            col(Conversation.deleted_at).is_(None),
        )
        .order_by(col(Conversation.updated_at).desc(), col(Conversation.created_at).desc())
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def main_of(session: AsyncSession, agent: Agent) -> Conversation:
    """The agent's main conversation; the first call makes it."""
    query = select(Conversation).where(col(Conversation.agent_id) == agent.id, col(Conversation.main))
    found = (await session.execute(query)).scalar_one_or_none()
    if found is not None:
        return found
    # Two calls at once must not make two: the second waits here and then finds the first one's.
    await session.execute(select(col(Agent.id)).where(col(Agent.id) == agent.id).with_for_update(key_share=True))
    found = (await session.execute(query)).scalar_one_or_none()
    return found or await add(session, Conversation(tenant_id=agent.tenant_id, agent_id=agent.id, main=True))


async def with_identity(session: AsyncSession, agent: Agent, identity_id: UUID, title: str = "") -> Conversation:
    """The agent's conversation with one identity; the first call makes it."""
    query = (
        select(Conversation)
        .where(
            col(Conversation.agent_id) == agent.id,
            col(Conversation.extra)["identity_id"].astext == str(identity_id),
            col(Conversation.deleted_at).is_(None),
        )
        .order_by(col(Conversation.created_at))
        .limit(1)
    )
    found = (await session.execute(query)).scalar_one_or_none()
    if found is not None:
        return found
    # Two calls at once must not make two: the second waits here and then finds the first one's.
    await session.execute(select(col(Agent.id)).where(col(Agent.id) == agent.id).with_for_update(key_share=True))
    found = (await session.execute(query)).scalar_one_or_none()
    fresh = Conversation(tenant_id=agent.tenant_id, agent_id=agent.id, title=title, extra={"identity_id": str(identity_id)})
    return found or await add(session, fresh)


async def change(session: AsyncSession, conversation_id: UUID, **values: Any) -> int:
    """Write ``values`` (which may be SQL expressions) and give back ``next_seq`` as it is after the write."""
    statement = (
        update(Conversation)
        .where(col(Conversation.id) == conversation_id)
        .values(**values)
        .returning(col(Conversation.next_seq))
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(statement)).scalar_one()


async def append(session: AsyncSession, conversation_id: UUID, count: int, known: dict[str, int], **values: Any) -> int:
    """Make room for ``count`` messages at the end of the history, remember which block revisions it now tells of.

    Gives back ``next_seq`` after the write: the new messages are the ``count`` before it.
    """
    known_revisions = col(Conversation.known_revisions).op("||")(cast(known, JSONB))
    next_seq = col(Conversation.next_seq) + count
    return await change(session, conversation_id, next_seq=next_seq, known_revisions=known_revisions, **values)


async def page_out(session: AsyncSession, conversation_id: UUID, count: int, known: dict[str, int], **values: Any) -> None:
    """Begin a new epoch with ``count`` messages fewer in the window, and with these block revisions in its snapshot."""
    paged_out = col(Conversation.paged_out) + count
    await append(session, conversation_id, 0, known, paged_out=paged_out, **values)
