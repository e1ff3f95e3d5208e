"""``/v1/messages``: what was said in all conversations, listed, found and looked up."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from sqlmodel import col

from pagemind.api.here import Caller, Here
from pagemind.api.ids import MessageId, record_id, wire_id
from pagemind.api.letta.listing import one
from pagemind.api.letta.message_bodies import Kind, SearchRequest
from pagemind.api.letta.message_json import Showing, message_parts, search_hit, shown, wire_json
from pagemind.api.pages import paged
from pagemind.api.problems import not_found
from pagemind.api.times import stamp
from pagemind.engine.recall import Search, recall_messages
from pagemind.memory.ranking import Ingredients
from pagemind.records import Conversation, Filters, Message, MessageHit
from pagemind.store import conversation_lists, messages
from pagemind.store.keyset import Slice, sliced

router = APIRouter(tags=["messages"])


@router.get("/v1/messages", response_model=list[dict[str, Any]])
async def list_all_messages(
    here: Caller,
    asked: Annotated[Slice, Depends(paged("message", limit=100))],
    conversation_id: Annotated[str | None, Query(max_length=100)] = None,
    include_return_message_types: Annotated[list[Kind] | None, Query(max_length=50)] = None,
) -> Response:
    """A page of the messages of all conversations, the newest first."""
    types = include_return_message_types
    query = messages.spoken_anywhere()
    if conversation_id:
        query = query.where(col(Message.conversation_id) == conversation_of(conversation_id))
    async with here.transaction() as session:
        found = await sliced(session, query, Message, asked)
    showing = Showing(types=None if types is None else frozenset(types))
    return Response(wire_json(shown(found, showing)), media_type="application/json")


def conversation_of(text: str) -> UUID:
    """The conversation's id; 404 where it can be none."""
    try:
        return record_id("conv", text)
    except ValueError:
        raise not_found("conversation", text) from None


@router.get("/v1/messages/{message_id}", response_model=list[dict[str, Any]])
async def retrieve_message(here: Caller, message_id: MessageId) -> Response:
    """One message, in its parts."""
    async with here.transaction() as session:
        parts = await one(here, session, wire_id("message", message_id))
    return Response(wire_json(parts), media_type="application/json")


@router.post("/v1/messages/search")
async def search_messages(here: Caller, asked: SearchRequest) -> list[dict[str, Any]]:
    """The messages for a query, by words, by meaning, or by both; the best first."""
    found, conversations = await searched(here, asked)
    results: list[dict[str, Any]] = []
    for _, message in found:
        conversation = conversations[message.conversation_id]
        shown_id = None if conversation.main else conversation.id
        for part in message_parts(message, Showing()):
            hit = search_hit(part, conversation.agent_id, shown_id, stamp(message.created_at))
            if hit is not None:
                results.append(hit)
    return results[: asked.limit]


@router.post("/v1/agents/messages/search")
async def search_scored(here: Caller, asked: SearchRequest) -> list[dict[str, Any]]:
    """The same in the older shape, with what each was found by."""
    found, conversations = await searched(here, asked)
    return [
        {
            "embedded_text": message.content,
            "message": {
                "id": wire_id("message", message.id),
                "agent_id": wire_id("agent", conversations[message.conversation_id].agent_id),
                "role": message.role,
                "content": [{"type": "text", "text": message.content}],
                "created_at": stamp(message.created_at),
            },
            "fts_rank": None,
            "vector_rank": None,
            "rrf_score": hit.score,
        }
        for hit, message in found
    ]


async def searched(here: Here, asked: SearchRequest) -> tuple[list[tuple[MessageHit, Message]], dict[UUID, Conversation]]:
    """The hits with their messages, and the conversations that they are of."""
    async with here.transaction() as session:
        agent_id = None if asked.agent_id is None else agent_of(asked.agent_id)
        conversation_id = None if asked.conversation_id is None else conversation_of(asked.conversation_id)
        conversations = await conversation_lists.within(session, agent_id, conversation_id)
    filters = Filters(roles=tuple(asked.roles or ()), after=asked.start_date, before=asked.end_date)
    ingredients = Ingredients(words=asked.search_mode != "vector", vector=asked.search_mode != "fts")
    search = Search(asked.query or "", filters, limit=asked.limit, ingredients=ingredients)
    found_anywhere = bool(conversations) and bool(search.query.strip())
    hits = await recall_messages(here.runtime.kernel, list(conversations), search) if found_anywhere else ()
    async with here.transaction() as session:
        found = await messages.some(session, [hit.id for hit in hits])
    return [(hit, found[hit.id]) for hit in hits if hit.id in found], conversations


def agent_of(text: str) -> UUID:
    """The agent's id; 404 where it can be none."""
    try:
        return record_id("agent", text)
    except ValueError:
        raise not_found("agent", text) from None
