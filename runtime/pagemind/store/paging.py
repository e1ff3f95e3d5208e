"""Epochs and page faults."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.records import Epoch, Message, PageFault


async def begin_epoch(session: AsyncSession, epoch: Epoch) -> None:
    """Record how an epoch began."""
    session.add(epoch)
    await session.flush()


async def add_spent(session: AsyncSession, epoch: Epoch, *, prompt: int, cached: int, completion: int) -> None:
    """Book the tokens of a further call on the epoch's beginning."""
    await session.execute(
        update(Epoch)
        .where(col(Epoch.conversation_id) == epoch.conversation_id, col(Epoch.epoch) == epoch.epoch)
        .values(
            prompt_tokens=col(Epoch.prompt_tokens) + prompt,
            cached_tokens=col(Epoch.cached_tokens) + cached,
            completion_tokens=col(Epoch.completion_tokens) + completion,
        )
        .execution_options(synchronize_session=False)
    )


async def epochs(session: AsyncSession, conversation_id: UUID) -> list[Epoch]:
    """How the conversation's epochs began, in order; the first has no row."""
    query = select(Epoch).where(col(Epoch.conversation_id) == conversation_id).order_by(col(Epoch.epoch))
    return list((await session.execute(query)).scalars())


async def paged_out_at(session: AsyncSession, conversation_id: UUID, places: Sequence[int]) -> dict[int, int]:
    """``seq`` -> the turn at which that message was paged out, for those of ``places`` that were."""
    query = (
        select(col(Message.seq), col(Epoch.turn))
        .join(
            Epoch,
            (col(Epoch.conversation_id) == col(Message.conversation_id))
            & col(Message.seq).between(col(Epoch.first_seq), col(Epoch.last_seq)),
        )
        .where(col(Message.conversation_id) == conversation_id, col(Message.seq).in_(places))
    )
    return {seq: turn for seq, turn in await session.execute(query) if seq is not None}


async def add_faults(session: AsyncSession, faults: Sequence[PageFault]) -> None:
    """Store page faults."""
    session.add_all(faults)
    await session.flush()


async def fault_counts(session: AsyncSession, conversation_id: UUID, up_to_seq: int) -> dict[int, int]:
    """``seq`` -> how often that message, at most ``up_to_seq``, was brought back."""
    query = (
        select(col(PageFault.seq), func.count())
        .where(col(PageFault.conversation_id) == conversation_id, col(PageFault.seq) <= up_to_seq)
        .group_by(col(PageFault.seq))
    )
    return {seq: int(count) for seq, count in await session.execute(query)}


async def messages_at(session: AsyncSession, conversation_id: UUID, places: Sequence[int]) -> list[Message]:
    """The messages at these places, in order."""
    query = select(Message).where(col(Message.conversation_id) == conversation_id, col(Message.seq).in_(places))
    return list((await session.execute(query.order_by(col(Message.seq)))).scalars())
