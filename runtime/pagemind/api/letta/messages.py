"""``/v1/agents/{id}/messages``: sent, streamed, listed, cancelled; the window compacted and reset."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Response

from pagemind.api.here import Caller, Here
from pagemind.api.ids import AgentId, record_id, wire_id
from pagemind.api.letta.agent_state import agent_state, known_agent
from pagemind.api.letta.listing import Listing, listing, page
from pagemind.api.letta.message_bodies import AsyncRequest, CancelRequest, ResetRequest, StreamingRequest
from pagemind.api.letta.message_json import Json, wire_json
from pagemind.api.letta.run_json import run_json
from pagemind.api.letta.talking import Repeats, accepted, answered, is_over
from pagemind.api.problems import Problem, conflict, not_found
from pagemind.engine.closing import withdraw
from pagemind.engine.reset import reset
from pagemind.errors import ConversationBusy, UnknownAgent, UnknownRecord
from pagemind.events import Compacted
from pagemind.records import Conversation
from pagemind.store import agent_runs, conversations, runs
from pagemind.store import messages as stored_messages

router = APIRouter(tags=["messages"])

STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "The answer, or with streaming a stream of events.", "content": {"text/event-stream": {}}}
}
CANCEL_SECONDS = 5.0
"""How long a request to cancel waits for the runs to have ended."""
Compaction = Annotated[dict[str, Any] | None, Body()]


async def main_of(here: Here, agent_id: UUID) -> UUID:
    """The agent's main conversation; 404."""
    try:
        return await here.runtime.main_conversation(agent_id)
    except UnknownAgent:
        raise not_found("agent", wire_id("agent", agent_id)) from None


@router.post("/v1/agents/{agent_id}/messages", responses=STREAM, response_model=dict[str, Any])
async def send_message(here: Caller, agent_id: AgentId, asked: StreamingRequest, repeats: Repeats) -> Response:
    """Send messages to an agent: its answer whole, or as it comes with ``streaming``."""
    return await answered(here, await main_of(here, agent_id), asked, repeats)


@router.post("/v1/agents/{agent_id}/messages/stream", responses=STREAM, response_model=None)
async def stream_message(here: Caller, agent_id: AgentId, asked: StreamingRequest, repeats: Repeats) -> Response:
    """Send messages to an agent: its answer as it comes."""
    return await answered(here, await main_of(here, agent_id), asked.model_copy(update={"streaming": True}), repeats)


@router.post("/v1/agents/{agent_id}/messages/async")
async def send_in_background(here: Caller, agent_id: AgentId, asked: AsyncRequest, repeats: Repeats) -> dict[str, Any]:
    """Send messages to an agent without waiting: the run that carries them."""
    kept: Json = {"callback_url": asked.callback_url, "run_type": "send_message_async"}
    run = await accepted(here, await main_of(here, agent_id), asked, repeats, kept=kept, background=True)
    return {**run_json(run), "status": "created"}


@router.get("/v1/agents/{agent_id}/messages", response_model=list[dict[str, Any]])
async def list_messages(
    here: Caller,
    agent_id: AgentId,
    asked: Annotated[Listing, Depends(listing)],
    conversation_id: Annotated[str | None, Query(max_length=100)] = None,
    group_id: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """A page of the agent's messages: with ``desc`` the newest, in any case the oldest of them first."""
    async with here.transaction() as session:
        agent = await known_agent(session, agent_id)
        if conversation_id in (None, "", "default"):
            conversation = await conversations.main_of(session, agent)
        else:
            conversation = await own_conversation(here, agent_id, str(conversation_id))
        if group_id:
            return Response(b"[]", media_type="application/json")
        found = await page(here, session, conversation, replace(asked, chronological=True))
    return Response(wire_json(found), media_type="application/json")


async def own_conversation(here: Here, agent_id: UUID, text: str) -> Conversation:
    """The agent's conversation of that id; 404."""
    try:
        async with here.transaction() as session:
            conversation = await conversations.get(session, record_id("conv", text))
    except (ValueError, UnknownRecord):
        raise not_found("conversation", text) from None
    if conversation.agent_id != agent_id:
        raise not_found("conversation", text)
    return conversation


@router.patch("/v1/agents/{agent_id}/messages/{message_id}", status_code=HTTPStatus.METHOD_NOT_ALLOWED)
async def edit_message(here: Caller, agent_id: AgentId, message_id: str) -> None:
    """What was said stays said: a fork of the conversation is the way to say it otherwise."""
    raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "Messages are never changed: they are the record of what was said.")


@router.post("/v1/agents/{agent_id}/messages/cancel")
async def cancel_runs(here: Caller, agent_id: AgentId, asked: CancelRequest | None = None) -> dict[str, str]:
    """Cancel the runs named, or all of the agent's that go on; what became of each."""
    async with here.transaction() as session:
        await known_agent(session, agent_id)
        going_on = await agent_runs.unfinished(session, agent_id)
    named = list(dict.fromkeys(asked.run_ids)) if asked is not None and asked.run_ids else []
    asking = None if going_on else await taken_back(here, await main_of(here, agent_id), named)
    if asking is not None:
        return {text: "cancelled" if text == asking else "failed" for text in named or [asking]}
    wanted = named or [wire_id("run", run_id) for run_id in going_on]
    if not wanted:
        raise conflict(f"No run of agent {wire_id('agent', agent_id)} goes on.")
    return await cancelled(here, wanted, {wire_id("run", run_id): run_id for run_id in going_on})


async def taken_back(here: Here, conversation_id: UUID, named: Sequence[str]) -> str | None:
    """The run that ended with a question which is taken back now: one of those named, or any where none is; None without."""
    async with here.transaction() as session:
        message = await stored_messages.pending(session, conversation_id)
    if message is None or message.run_id is None:
        return None
    text = wire_id("run", message.run_id)
    if named and text not in named:
        return None
    await withdraw(here.runtime.kernel, conversation_id)
    return text


async def cancelled(here: Here, wanted: Sequence[str], going_on: dict[str, UUID]) -> dict[str, str]:
    """Cancel those that go on, and wait a moment for their ends."""
    ours = [going_on[text] for text in wanted if text in going_on]
    for run_id in ours:
        await here.runtime.cancel(run_id)
    async with asyncio.TaskGroup() as group:
        for run_id in ours:
            group.create_task(ended(here, run_id))
    return {text: "cancelled" if text in going_on else "failed" for text in wanted}


async def ended(here: Here, run_id: UUID) -> None:
    """Return when the run has ended, or after a while."""
    try:
        async with asyncio.timeout(CANCEL_SECONDS):
            async for _ in here.runtime.events(run_id):
                pass
    except TimeoutError:
        pass


@router.post("/v1/agents/{agent_id}/summarize")
async def compact(here: Caller, agent_id: AgentId, asked: Compaction = None) -> dict[str, Any]:
    """Page out what may leave the window, now."""
    return await compacted(here, await main_of(here, agent_id))


async def compacted(here: Here, conversation_id: UUID) -> Json:
    """What a compaction left; counts include the system message."""
    try:
        before = len((await here.runtime.context(conversation_id)).resident) + 1
        event: Compacted | None = await here.runtime.compact(conversation_id)
    except ConversationBusy as error:
        raise conflict(str(error)) from None
    except UnknownRecord:
        raise not_found("conversation", wire_id("conv", conversation_id)) from None
    async with here.transaction() as session:
        conversation = await conversations.get(session, conversation_id)
    out = 0 if event is None else event.messages
    return {"summary": conversation.summary, "num_messages_before": before, "num_messages_after": before - out}


@router.patch("/v1/agents/{agent_id}/reset-messages")
async def reset_messages(here: Caller, agent_id: AgentId, asked: ResetRequest | None = None) -> dict[str, Any]:
    """Empty the agent's window; what was said stays listed."""
    try:
        await reset(here.runtime.kernel, await main_of(here, agent_id))
    except ConversationBusy as error:
        raise conflict(str(error)) from None
    async with here.transaction() as session:
        return await agent_state(here, session, await known_agent(session, agent_id))


async def unfinished_of(here: Here, conversation_id: UUID) -> dict[str, UUID]:
    """The conversation's runs that go on, by their ids on the wire."""
    async with here.transaction() as session:
        newest = await runs.recent(session, conversation_id=conversation_id, limit=100)
    return {wire_id("run", run.id): run.id for run in reversed(newest) if not is_over(run)}
