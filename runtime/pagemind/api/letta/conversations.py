"""``/v1/conversations``: threads with an agent beside its main one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.api.here import Caller, Here
from pagemind.api.ids import AgentId, ConversationId, MessageId, record_id, wire_id
from pagemind.api.letta.agent_context import rendered
from pagemind.api.letta.agent_state import known_agent
from pagemind.api.letta.listing import Listing, listing, page, place
from pagemind.api.letta.message_bodies import ConversationRequest, Id, StreamRequest
from pagemind.api.letta.message_json import Json, system_message_id, wire_json
from pagemind.api.letta.messages import STREAM, cancelled, compacted, main_of, taken_back, unfinished_of
from pagemind.api.letta.names import user_id
from pagemind.api.letta.run_json import is_background
from pagemind.api.letta.runs import known_run, stream_of
from pagemind.api.letta.talking import Repeats, answered, is_over
from pagemind.api.problems import NO_RETRY, Problem, bad_request, conflict, not_found
from pagemind.api.times import optional_stamp, stamp
from pagemind.api.values import Metadata, Moment, Words
from pagemind.engine.preview import recompile
from pagemind.errors import ConversationBusy, UnknownRecord
from pagemind.records import Conversation, Run, now
from pagemind.store import blocks, conversation_lists, conversations, messages, runs
from pagemind.store.conversation_lists import ConversationFilter, ConversationOrder
from pagemind.store.keyset import Slice

router = APIRouter(tags=["conversations"])

Named = Annotated[str, Field(max_length=100)]
"""``conv-<uuid>``; for an agent's main one ``agent-<uuid>``, or ``default`` beside its ``agent_id``."""
OfAgent = Annotated[str | None, Query(max_length=100)]
KEPT = ("model", "model_settings", "description", "context_window_limit", "isolated_block_labels", "hidden")
"""What is given back as it came."""


class ConversationBody(BaseModel):
    """What somebody says of a conversation."""

    summary: Words | None = None
    model: Id | None = None
    model_settings: Metadata | None = None
    description: Words | None = None
    context_window_limit: Annotated[int, Field(ge=1, le=2**31)] | None = None
    hidden: bool | None = None

    def kept(self, before: Json) -> Json:
        """What is kept to be given back."""
        given = {name: getattr(self, name) for name in KEPT if name in self.model_fields_set}
        return {**before, **given}


class ConversationCreate(ConversationBody):
    """A new conversation."""

    isolated_block_labels: Annotated[list[Id], Field(max_length=100)] | None = None


class ConversationUpdate(ConversationBody):
    """What is to be different of a conversation."""

    archived: bool | None = None
    last_message_at: Moment | None = None


class Compaction(BaseModel):
    """Which agent's, where the conversation is named ``default``."""

    agent_id: Id | None = None


@router.post("/v1/conversations")
async def create_conversation(here: Caller, agent_id: AgentId, asked: ConversationCreate | None = None) -> dict[str, Any]:
    """Begin a conversation with an agent."""
    asked = asked or ConversationCreate()
    async with here.transaction() as session:
        agent = await known_agent(session, agent_id)
        new = Conversation(tenant_id=agent.tenant_id, agent_id=agent.id, title=asked.summary or "", extra=asked.kept({}))
        await conversations.add(session, new)
    return conversation_json(new, [])


def conversation_json(conversation: Conversation, resident: list[UUID] | None) -> dict[str, Any]:
    """The conversation; ``resident`` are the messages in its window, where they were read."""
    extra, owner = conversation.extra, user_id(conversation.tenant_id)
    ids = [system_message_id(conversation.id), *resident] if resident else []
    return {
        "created_by_id": owner,
        "last_updated_by_id": owner,
        "created_at": stamp(conversation.created_at),
        "updated_at": stamp(conversation.updated_at),
        "id": wire_id("conv", conversation.id),
        "agent_id": wire_id("agent", conversation.agent_id),
        "summary": conversation.title or None,
        "description": extra.get("description"),
        "in_context_message_ids": [wire_id("message", each) for each in ids],
        "isolated_block_ids": [],
        "model": extra.get("model"),
        "model_settings": extra.get("model_settings"),
        "context_window_limit": extra.get("context_window_limit"),
        "archived": conversation.archived_at is not None,
        "archived_at": optional_stamp(conversation.archived_at),
        "last_message_at": extra.get("last_message_at") or optional_stamp(conversation.stepped_at),
    }


async def known(session: AsyncSession, conversation_id: UUID) -> Conversation:
    """The conversation; 404."""
    try:
        return await conversations.get(session, conversation_id)
    except UnknownRecord:
        raise not_found("conversation", wire_id("conv", conversation_id)) from None


async def named(here: Here, text: str, agent_id: str | None) -> UUID:
    """The id of the conversation that is named in one of the three ways; 404."""
    try:
        if text == "default" and agent_id:
            return await main_of(here, record_id("agent", agent_id))
        if text.startswith("agent-"):
            return await main_of(here, record_id("agent", text))
        conversation_id = record_id("conv", text)
    except ValueError:
        raise not_found("conversation", text[:100]) from None
    return conversation_id


@router.get("/v1/conversations")
async def list_conversations(
    here: Caller,
    agent_id: AgentId | None = None,
    limit: Annotated[int, Query(ge=0, le=1000)] = 50,
    after: ConversationId | None = None,
    summary_search: Annotated[str | None, Query(max_length=500)] = None,
    order: Literal["asc", "desc"] = "desc",
    order_by: Literal["created_at", "last_run_completion", "last_message_at"] = "created_at",
    archive_status: Literal["unarchived", "archived", "all"] = "unarchived",
) -> list[dict[str, Any]]:
    """The conversations of an agent, or of all."""
    wanted = ConversationFilter(
        agent_id=agent_id,
        text=summary_search,
        archived=None if archive_status == "all" else archive_status == "archived",
        order=ConversationOrder.created_at if order_by == "created_at" else ConversationOrder.used_at,
    )
    async with here.transaction() as session:
        found = await conversation_lists.page(session, wanted, Slice(limit, after=after, descending=order == "desc"))
        resident = await conversation_lists.resident_ids(session, found)
    return [conversation_json(each, resident[each.id]) for each in found]


@router.get("/v1/conversations/{conversation_id}")
async def retrieve_conversation(here: Caller, conversation_id: ConversationId) -> dict[str, Any]:
    """One conversation."""
    async with here.transaction() as session:
        found = await known(session, conversation_id)
        return conversation_json(found, (await conversation_lists.resident_ids(session, [found]))[found.id])


@router.patch("/v1/conversations/{conversation_id}")
async def update_conversation(here: Caller, conversation_id: ConversationId, asked: ConversationUpdate) -> dict[str, Any]:
    """Change what is said of a conversation."""
    async with here.transaction() as session:
        found = await known(session, conversation_id)
        values: Json = {"extra": asked.kept(found.extra), "updated_at": now()}
        if "summary" in asked.model_fields_set:
            values["title"] = asked.summary or ""
        if asked.archived is not None:
            values["archived_at"] = (found.archived_at or now()) if asked.archived else None
        if asked.last_message_at is not None:
            values["extra"]["last_message_at"] = stamp(asked.last_message_at)
        await conversations.change(session, conversation_id, **values)
        session.expunge(found)
        found = await known(session, conversation_id)
        return conversation_json(found, (await conversation_lists.resident_ids(session, [found]))[found.id])


@router.delete("/v1/conversations/{conversation_id}")
async def delete_conversation(here: Caller, conversation_id: ConversationId) -> None:
    """Delete a conversation and cancel its runs."""
    async with here.transaction() as session:
        found = await known(session, conversation_id)
        if found.main:
            raise bad_request("This is the conversation that the agent itself is talked to in: delete the agent.")
        await conversations.change(session, conversation_id, deleted_at=now())
    for run_id in (await unfinished_of(here, conversation_id)).values():
        await here.runtime.cancel(run_id)
    here.runtime.kernel.residents.drop(conversation_id)


@router.post("/v1/conversations/{conversation_id}/cancel")
async def cancel_conversation(here: Caller, conversation_id: Named, agent_id: OfAgent = None) -> dict[str, str]:
    """Cancel the conversation's runs that go on."""
    found = await existing(here, conversation_id, agent_id)
    going_on = await unfinished_of(here, found.id)
    if not going_on and (asking := await taken_back(here, found.id, ())) is not None:
        return {asking: "cancelled"}
    if not going_on:
        raise conflict(f"No run of conversation {conversation_id} goes on.")
    return await cancelled(here, list(going_on), going_on)


async def existing(here: Here, text: str, agent_id: str | None) -> Conversation:
    """The conversation that is named in one of the three ways; 404."""
    conversation_id = await named(here, text, agent_id)
    async with here.transaction() as session:
        return await known(session, conversation_id)


@router.post("/v1/conversations/{conversation_id}/fork")
async def fork_conversation(
    here: Caller,
    conversation_id: Named,
    agent_id: OfAgent = None,
    message_id: MessageId | None = None,
    hidden: bool = False,
) -> dict[str, Any]:
    """A conversation that goes on from where this one is, or was at a message."""
    source = await existing(here, conversation_id, agent_id)
    async with here.transaction() as session:
        cursor = None if message_id is None else wire_id("message", message_id)
        last = await place(session, source, cursor)
        extra = {**source.extra, "forked_from": str(source.id), "hidden": hidden}
        new = await conversation_lists.fork(
            session, source, source.next_seq if last is None else last, title=source.title, extra=extra
        )
        return conversation_json(new, (await conversation_lists.resident_ids(session, [new]))[new.id])


@router.post("/v1/conversations/{conversation_id}/recompile")
async def recompile_conversation(
    here: Caller, conversation_id: Named, asked: Compaction | None = None, dry_run: bool = False
) -> JSONResponse:
    """The conversation's system prompt with the blocks as they are now, as one JSON string.

    It goes on with it, unless a run is at it or with ``dry_run``.
    """
    found = await existing(here, conversation_id, asked.agent_id if asked else None)
    if not dry_run:
        with suppress(ConversationBusy):
            await recompile(here.runtime.kernel, found.id)
    async with here.transaction() as session:
        agent = await known_agent(session, found.agent_id)
        return JSONResponse(rendered(here, agent, await blocks.of_agent(session, agent.id)))


@router.post("/v1/conversations/{conversation_id}/compact")
async def compact_conversation(here: Caller, conversation_id: Named, asked: Compaction | None = None) -> dict[str, Any]:
    """Page out what may leave the conversation's window, now."""
    return await compacted(here, (await existing(here, conversation_id, asked.agent_id if asked else None)).id)


@router.post("/v1/conversations/{conversation_id}/messages", responses=STREAM, response_model=dict[str, Any])
async def send_to_conversation(here: Caller, conversation_id: Named, asked: ConversationRequest, repeats: Repeats) -> Response:
    """Send messages to a conversation: a stream, or the whole answer without ``streaming``."""
    found = await named(here, conversation_id, asked.agent_id)
    if here.settings.busy_conversations == "refuse" and (going_on := await unfinished_of(here, found)) and not repeats.retried:
        run_id = next(iter(going_on))
        body = {"detail": f"Conversation {conversation_id} is busy with run {run_id}.", "run_id": run_id}
        raise Problem(409, body["detail"], headers=dict(NO_RETRY), body=body)
    return await answered(here, found, asked, repeats)


@router.get("/v1/conversations/{conversation_id}/messages", response_model=list[dict[str, Any]])
async def conversation_messages(
    here: Caller,
    conversation_id: Named,
    asked: Annotated[Listing, Depends(listing)],
    agent_id: OfAgent = None,
    group_id: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """A page of the conversation's messages: with ``desc`` the newest first."""
    found = await existing(here, conversation_id, agent_id)
    async with here.transaction() as session:
        parts = [] if group_id else await page(here, session, found, replace(asked, chronological=False))
    return Response(wire_json(parts), media_type="application/json")


@router.post(
    "/v1/conversations/{conversation_id}/stream",
    response_model=None,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def stream_conversation(
    here: Caller,
    conversation_id: Named,
    asked: StreamRequest | None = None,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> Response:
    """The stream of a run of the conversation, from after a number on: of the newest one, unless another is named."""
    asked = asked or StreamRequest()
    found = await existing(here, conversation_id, asked.agent_id)
    async with here.transaction() as session:
        sent = await messages.run_of_otid(session, found.id, asked.otid) if asked.otid and not asked.run_id else None
        if asked.run_id or sent:
            run: Run | None = await known_run(session, asked.run_id or wire_id("run", sent or found.id))
        else:
            newest = await runs.recent(session, conversation_id=found.id, limit=50)
            run = next((each for each in newest if not is_over(each) or is_background(each)), None)
    if run is None or run.conversation_id != found.id:
        raise bad_request(f"No run of conversation {conversation_id} goes on or was made in the background.")
    return stream_of(here, run, asked, last_event_id)
