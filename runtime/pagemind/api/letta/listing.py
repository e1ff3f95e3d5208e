"""Lists of messages: which of a conversation's are asked for, and how Letta orders them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.api.here import Here
from pagemind.api.ids import record_id, wire_id
from pagemind.api.letta.agent_context import rendered
from pagemind.api.letta.message_bodies import Kind
from pagemind.api.letta.message_json import Json, Showing, shown, system_message, system_message_id
from pagemind.api.pages import LIMIT_MOST, Order
from pagemind.api.problems import not_found
from pagemind.api.times import message_date
from pagemind.records import Agent, Conversation, Message
from pagemind.store import agents, blocks, messages

Word = Annotated[str, Query(max_length=200)]
Cursor = Annotated[str | None, Query(max_length=100)]
SYSTEM_SEQ = 0
"""The place of the system message, before the first of the history."""


@dataclass(frozen=True)
class Listing:
    """What is asked for. ``chronological``: the cursors mean earlier and later whatever the order, as for an agent's list."""

    before: str | None
    after: str | None
    limit: int
    descending: bool
    showing: Showing
    chronological: bool = False


def listing(
    before: Cursor = None,
    after: Cursor = None,
    limit: Annotated[int | None, Query(ge=0, le=1_000_000)] = 100,
    order: Order = "desc",
    order_by: Annotated[str | None, Query(max_length=50)] = "created_at",
    use_assistant_message: bool = True,
    assistant_message_tool_name: Word = "send_message",
    assistant_message_tool_kwarg: Word = "message",
    include_err: bool | None = None,
    include_return_message_types: Annotated[list[Kind] | None, Query(max_length=50)] = None,
) -> Listing:
    """A dependency that reads it."""
    types = include_return_message_types
    showing = Showing(
        speaks=use_assistant_message,
        tool=assistant_message_tool_name,
        argument=assistant_message_tool_kwarg,
        types=None if types is None else frozenset(types),
    )
    most = LIMIT_MOST if limit is None else min(limit, LIMIT_MOST)
    return Listing(before or None, after or None, most, order == "desc", showing)


async def page(here: Here, session: AsyncSession, conversation: Conversation, asked: Listing) -> list[Json]:
    """The messages asked for, in the order asked for, none in halves; an agent's always the oldest first.

    A page that the types leave nothing of is passed over: an empty one would be taken for the end.
    """
    first = await place(session, conversation, asked.after)
    last = await place(session, conversation, asked.before)
    if asked.descending and not asked.chronological:
        first, last = last, first
    nearest_last = asked.after is None and asked.before is not None and not asked.chronological
    newest_first = asked.descending != nearest_last
    while True:
        found = await rows(session, conversation, asked, first, last, newest_first=newest_first)
        parts = await told(here, session, conversation, found, asked)
        if parts or len(found) < asked.limit or not found:
            return parts
        end = found[-1]
        edge = SYSTEM_SEQ if end is None else end.seq or 0
        first, last = (first, edge) if newest_first else (edge, last)


async def place(session: AsyncSession, conversation: Conversation, cursor: str | None) -> int | None:
    """The place of the message that a cursor names; 404 where it names none of the conversation's."""
    if cursor is None:
        return None
    try:
        message_id = record_id("message", cursor)
    except ValueError:
        raise not_found("message", cursor) from None
    if message_id == system_message_id(conversation.id):
        return SYSTEM_SEQ
    message = await messages.find(session, message_id)
    if message is None or message.conversation_id != conversation.id:
        raise not_found("message", cursor)
    return conversation.next_seq if message.seq is None else message.seq


async def rows(
    session: AsyncSession,
    conversation: Conversation,
    asked: Listing,
    first: int | None,
    last: int | None,
    *,
    newest_first: bool,
) -> list[Message | None]:
    """The messages between two places, these left out; None stands for the system message."""
    found: list[Message | None] = []
    with_system = first is None and (last is None or last > SYSTEM_SEQ)
    if asked.limit == 0 or (last is not None and last <= SYSTEM_SEQ):
        return found
    found += await messages.listed(
        session,
        conversation.id,
        after_seq=first or 0,
        before_seq=last,
        limit=asked.limit,
        newest_first=newest_first,
        without_returns_of=asked.showing.tool if asked.showing.speaks else None,
    )
    if with_system and not newest_first:
        return [None, *found][: asked.limit]
    if with_system and len(found) < asked.limit:
        return [*found, None]
    return found


async def told(
    here: Here, session: AsyncSession, conversation: Conversation, found: Sequence[Message | None], asked: Listing
) -> list[Json]:
    """The messages in their parts, in the order of the answer."""
    ascending = asked.chronological or not asked.descending
    in_order = sorted(found, key=lambda each: SYSTEM_SEQ if each is None else each.seq or 0, reverse=not ascending)
    parts: list[Json] = []
    for message in in_order:
        its = [await system_part(here, session, conversation)] if message is None else shown([message], asked.showing)
        parts += asked.showing.wanted(its if ascending else its[::-1])
    return parts


async def system_part(here: Here, session: AsyncSession, conversation: Conversation) -> Json:
    """What the conversation's prompt begins with, as a message."""
    agent = await agents.get(session, conversation.agent_id)
    text = await system_text(here, session, conversation, agent)
    return system_message(conversation.id, message_date(conversation.created_at), text)


async def system_text(here: Here, session: AsyncSession, conversation: Conversation, agent: Agent) -> str:
    """The instructions and the blocks: as the conversation's prompt has them, else as they would be."""
    if conversation.snapshot is None:
        return rendered(here, agent, await blocks.of_agent(session, agent.id))
    prose = here.runtime.kernel.prose
    return "\n\n".join(part for part in (prose.system(agent.instructions), conversation.snapshot) if part)


async def one(here: Here, session: AsyncSession, text: str) -> list[Json]:
    """One message by its id on the wire, in its parts; 404."""
    message_id = record_id("message", text)
    message = await messages.find(session, message_id)
    if message is not None:
        return shown([message])
    conversation = await session.get(Conversation, (here.tenant_id, system_message_id(message_id)))
    if conversation is None or conversation.deleted_at is not None:
        raise not_found("message", wire_id("message", message_id))
    return [await system_part(here, session, conversation)]
