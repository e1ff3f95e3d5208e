"""Writing the history: messages get their place in it, one after the other and without gaps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.records import Message, Role
from pagemind.store.tables import table_of


async def add(session: AsyncSession, messages: Sequence[Message]) -> None:
    """Store new messages in one round trip."""
    if messages:
        # By the table: by the record, rows with different columns missing would go in a statement each.
        await session.execute(insert(table_of(Message)), [message.model_dump() for message in messages])


async def waiting(session: AsyncSession, run_id: UUID) -> list[Message]:
    """The run's accepted inputs that have no place in the history yet, in their order."""
    query = select(Message).where(col(Message.run_id) == run_id, col(Message.seq).is_(None))
    return list((await session.execute(query.order_by(col(Message.created_at), col(Message.id)))).scalars())


async def place(session: AsyncSession, messages: Sequence[Message]) -> None:
    """Give accepted inputs the ``seq`` and ``tokens`` that they carry."""
    for message in messages:
        await session.execute(
            update(Message)
            .where(col(Message.id) == message.id)
            .values(seq=message.seq, tokens=message.tokens, stamped=message.stamped)
            .execution_options(synchronize_session=False)
        )


async def last_at(session: AsyncSession, conversation_id: UUID) -> datetime | None:
    """When the last message of the history was made; None where it is empty."""
    query = select(col(Message.created_at)).where(col(Message.conversation_id) == conversation_id, col(Message.seq) > 0)
    return (await session.execute(query.order_by(col(Message.seq).desc()).limit(1))).scalar_one_or_none()


async def notice_tokens(session: AsyncSession, conversation_id: UUID, resident_from: int) -> int:
    """The tokens of all notices that stand in the window."""
    query = select(func.coalesce(func.sum(col(Message.tokens)), 0)).where(
        col(Message.conversation_id) == conversation_id,
        col(Message.role) == Role.notice,
        col(Message.seq) >= resident_from,
    )
    return int((await session.execute(query)).scalar_one())
