"""Talking to an agent: a request is taken in once, and answered whole, as a stream, or with its run alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Response

from pagemind.api.here import Here
from pagemind.api.ids import record_id, wire_id
from pagemind.api.letta.event_stream import EventStream
from pagemind.api.letta.message_bodies import MessageRequest, StreamingRequest
from pagemind.api.letta.message_json import Json, Showing, wire_json
from pagemind.api.letta.model_json import model_named
from pagemind.api.letta.run_telling import Manner, Teller
from pagemind.api.problems import Problem, bad_request, conflict, not_found
from pagemind.engine.accept import REJOIN_SECONDS, known
from pagemind.engine.policy import Limits
from pagemind.errors import PendingApproval, UnknownAgent, UnknownApproval, UnknownRecord
from pagemind.records import Approval, Run, RunState
from pagemind.records.view import Resident
from pagemind.store import messages

KEY_CHARS = 200
CONFIG = "request_config"
ONLY_STREAMED = "{name} says how to stream, and streaming is false: set streaming to true, or leave {name} out."


@dataclass(frozen=True)
class Once:
    """What tells a repeated request from a second one: the caller's key, or the client's word that it tries again."""

    key: str | None
    retried: bool


async def once(
    idempotency_key: Annotated[str | None, Header(max_length=1_000)] = None,
    x_stainless_retry_count: Annotated[str | None, Header(max_length=20)] = None,
) -> Once:
    """A dependency that reads it; a coroutine, since what is none goes through a thread."""
    retries = x_stainless_retry_count or ""
    return Once(idempotency_key or None, retries.isascii() and retries.isdecimal() and int(retries) > 0)


Repeats = Annotated[Once, Depends(once)]


async def answered(here: Here, conversation_id: UUID, asked: StreamingRequest, repeats: Once) -> Response:
    """Take the request in and answer it: as a stream, or whole."""
    if not asked.streaming:
        for name in ("stream_tokens", "background"):
            if getattr(asked, name):
                raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, ONLY_STREAMED.format(name=name))
    manner = await manner_of(here, conversation_id, asked)
    run = await accepted(here, conversation_id, asked, repeats, kept={"manner": kept_manner(manner)})
    if asked.streaming:
        return EventStream(here, run.id, manner, pings=asked.include_pings)
    return await whole(here, run, manner)


async def whole(here: Here, run: Run, manner: Manner) -> Response:
    """The run's messages, why it ended and what it took, once it has ended."""
    teller = Teller(run.id, manner)
    parts: list[Json] = []
    async for seq, event in here.runtime.events(run.id):
        parts += teller.tell(seq, event)
    if teller.failure is not None:
        raise teller.failure.problem
    body = {"messages": parts, "stop_reason": teller.stop_reason, "usage": teller.usage, "logprobs": None, "turns": None}
    return Response(wire_json(body), media_type="application/json")


async def accepted(
    here: Here,
    conversation_id: UUID,
    asked: MessageRequest,
    repeats: Once,
    *,
    kept: Json,
    background: bool = False,
) -> Run:
    """Take the request in, once. Raises Problem with Letta's status and words where it cannot be."""
    inputs = asked.inputs()
    name = model_named(here.runtime.kernel, asked.override_model)
    request = asked.as_request({} if name is None else {"name": name})
    request = replace(request, approvals=await by_call(here, request.approvals))
    try:
        return await here.runtime.accept(
            conversation_id,
            inputs,
            request=request,
            idempotency_key=key_of(asked, repeats),
            limits=limits_of(here, asked),
            background=background,
            extra={CONFIG: asked.config(), **kept},
            rejoin_seconds=REJOIN_SECONDS if repeats.retried else 0.0,
        )
    except PendingApproval as error:
        raise conflict(
            {
                "code": "PENDING_APPROVAL",
                "message": str(error),
                "pending_request_id": wire_id("message", error.message_id),
            }
        ) from None
    except UnknownApproval as error:
        raise bad_request(str(error)) from None
    except UnknownAgent as error:
        raise Problem(HTTPStatus.NOT_FOUND, str(error)) from None
    except UnknownRecord:
        raise not_found("conversation", wire_id("conv", conversation_id)) from None


def key_of(asked: MessageRequest, repeats: Once) -> str | None:
    """What the request is known by: the caller's key, else the messages' own ids."""
    otids = asked.otids()
    key = repeats.key or (f"otid:{','.join(otids)}" if otids else None)
    return key if key is None or len(key) <= KEY_CHARS else sha256(key.encode()).hexdigest()


def limits_of(here: Here, asked: MessageRequest) -> Limits | None:
    """What the run may use; None where the request says nothing of it."""
    if "max_steps" not in asked.model_fields_set:
        return None
    return Limits(asked.max_steps, here.settings.max_seconds, here.settings.max_tokens)


async def by_call(here: Here, approvals: tuple[Approval, ...]) -> tuple[Approval, ...]:
    """The answers, each to a call: an older client answers a whole message, and means all of its calls."""
    if not any(each.call_id.startswith("message-") for each in approvals):
        return approvals
    found: list[Approval] = []
    for each in approvals:
        try:
            message_id = record_id("message", each.call_id)
        except ValueError:
            found.append(each)
            continue
        async with here.transaction() as session:
            message = await messages.find(session, message_id)
        calls = (message.calls or ()) if message is not None else ()
        waiting = [call for call in calls if call.get("waits")] or calls
        found += [replace(each, call_id=call["id"]) for call in waiting] or [each]
    return tuple(found)


# --- how a run is told ------------------------------------------------------------------------------------------------


async def manner_of(here: Here, conversation_id: UUID, asked: StreamingRequest) -> Manner:
    """How the request's run is to be told."""
    showing = asked.showing()
    holds = False
    if asked.stream_tokens:
        try:
            resident = await known(here.runtime.kernel, conversation_id)
        except UnknownAgent as error:
            raise Problem(HTTPStatus.NOT_FOUND, str(error)) from None
        except UnknownRecord:
            raise not_found("conversation", wire_id("conv", conversation_id)) from None
        holds = bool(asked.client_tools) or holds_calls(resident, showing)
    return Manner(showing, pieces=asked.stream_tokens, numbered=asked.background, holds_calls=holds)


def holds_calls(resident: Resident, showing: Showing) -> bool:
    """Whether a call of the agent's may turn out to wait for an answer, or to speak."""
    agent = resident.agent
    ruled = any("approval" in str(rule.get("type", "")) for rule in agent.rules)
    return (
        ruled or any(tool.needs_approval for tool in resident.stored_tools) or (showing.speaks and showing.tool in agent.tools)
    )


def kept_manner(manner: Manner) -> Json:
    """What has to be known to tell the run again in the same way."""
    return {
        "pieces": manner.pieces,
        "numbered": manner.numbered,
        "holds_calls": manner.holds_calls,
        "compactions": manner.showing.compactions,
    }


def manner_again(run: Run, after: int) -> Manner:
    """How the run was told, from after that number on; numbered, so that it can be gone on with."""
    config, kept = run.extra.get(CONFIG, {}), run.extra.get("manner", {})
    types = config.get("include_return_message_types")
    showing = Showing(
        speaks=config.get("use_assistant_message", True),
        tool=config.get("assistant_message_tool_name", "send_message"),
        argument=config.get("assistant_message_tool_kwarg", "message"),
        types=None if types is None else frozenset(types),
        compactions=kept.get("compactions", False),
    )
    return Manner(showing, kept.get("pieces", False), numbered=True, after=after, holds_calls=kept.get("holds_calls", False))


def is_over(run: Run) -> bool:
    """Whether the run is at its end."""
    return run.state not in (RunState.queued, RunState.running)
