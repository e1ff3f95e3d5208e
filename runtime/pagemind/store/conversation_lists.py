"""Lists of conversations, what stands in their windows, and forks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.records import Conversation, Message, Role
from pagemind.store import conversations
from pagemind.store.keyset import Slice, sliced


class ConversationOrder(StrEnum):
    """What a list of conversations goes by."""

    created_at = "created_at"
    used_at = "used_at"


@dataclass(frozen=True)
class ConversationFilter:
    """Which conversations: each condition that is given must hold. An agent's main one is never listed."""

    agent_id: UUID | None = None
    text: str | None = None
    """Stands somewhere in the title, in letters of either case."""
    archived: bool | None = False
    order: ConversationOrder = ConversationOrder.created_at


COPIED = [name for name in Message.model_fields if name not in ("id", "conversation_id", "run_id", "step_id")]
_COPY = text(
    f"""
    INSERT INTO messages (id, conversation_id, {", ".join(COPIED)})
    SELECT gen_random_uuid(), :into, {", ".join(COPIED)}
      FROM messages WHERE conversation_id = :source AND seq <= :last
    """  # noqa: S608 - names of columns, from the record
)


async def page(session: AsyncSession, wanted: ConversationFilter, asked: Slice) -> Sequence[Conversation]:
    """The page of the conversations that are wanted; UnknownRecord for an unknown cursor."""
    by: Any = col(Conversation.created_at)
    if wanted.order == ConversationOrder.used_at:
        by = func.coalesce(col(Conversation.stepped_at), col(Conversation.created_at))
    query = select(Conversation).where(col(Conversation.deleted_at).is_(None), ~col(Conversation.main))
    if wanted.agent_id is not None:
        query = query.where(col(Conversation.agent_id) == wanted.agent_id)
    if wanted.text:
        query = query.where(col(Conversation.title).icontains(wanted.text, autoescape=True))
    if wanted.archived is not None:
        archived = col(Conversation.archived_at)
        query = query.where(archived.isnot(None) if wanted.archived else archived.is_(None))
    return await sliced(session, query, Conversation, asked, by=by)


MOST_SEARCHED = 10_000


async def within(session: AsyncSession, agent_id: UUID | None, conversation_id: UUID | None) -> dict[UUID, Conversation]:
    """That conversation, or all of the agent's, or all there are, the newest first and not without end; by id."""
    query = select(Conversation).where(col(Conversation.deleted_at).is_(None))
    if conversation_id is not None:
        query = query.where(col(Conversation.id) == conversation_id)
    if agent_id is not None:
        query = query.where(col(Conversation.agent_id) == agent_id)
    rows = await session.execute(query.order_by(col(Conversation.updated_at).desc()).limit(MOST_SEARCHED))
    return {each.id: each for each in rows.scalars()}


async def resident_ids(session: AsyncSession, among: Sequence[Conversation]) -> dict[UUID, list[UUID]]:
    """The messages in the window of each, in order, by the conversation's id."""
    query = (
        select(col(Message.conversation_id), col(Message.id))
        .join(Conversation, col(Conversation.id) == col(Message.conversation_id))
        .where(
            col(Conversation.id).in_([each.id for each in among]),
            col(Message.seq) >= col(Conversation.resident_from),
            col(Message.role) != Role.notice,
        )
        .order_by(col(Message.seq))
    )
    found: dict[UUID, list[UUID]] = {each.id: [] for each in among}
    for conversation_id, message_id in await session.execute(query):
        found[conversation_id].append(message_id)
    return found


async def fork(session: AsyncSession, source: Conversation, last_seq: int, **values: Any) -> Conversation:
    """A conversation that begins with a copy of the other's history up to a place, with what stands in its window.

    A place in the middle of a call's returns is moved behind them.
    """
    last_seq = await _behind_returns(session, source, min(last_seq, source.next_seq - 1))
    kept = source.resident_from <= last_seq + 1
    new = Conversation(
        tenant_id=source.tenant_id,
        agent_id=source.agent_id,
        next_seq=last_seq + 1,
        epoch=source.epoch,
        resident_from=source.resident_from if kept else 1,
        snapshot=source.snapshot,
        summary=source.summary if kept else "",
        summary_tokens=source.summary_tokens if kept else 0,
        kept=list(source.kept) if kept else [],
        known_revisions=dict(source.known_revisions),
        turns=source.turns,
        paged_out=source.paged_out if kept else 0,
        **values,
    )
    await conversations.add(session, new)
    await session.execute(_COPY, {"into": new.id, "source": source.id, "last": last_seq})
    return new


async def _behind_returns(session: AsyncSession, source: Conversation, last_seq: int) -> int:
    """The place, or the last of the returns that follow it."""
    query = select(col(Message.seq), col(Message.role)).where(
        col(Message.conversation_id) == source.id, col(Message.seq) > last_seq
    )
    for seq, role in (await session.execute(query.order_by(col(Message.seq)).limit(200))).all():
        if role not in (Role.tool, Role.approval):
            break
        last_seq = seq or last_seq
    return last_seq
