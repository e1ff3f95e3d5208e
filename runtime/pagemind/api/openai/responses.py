"""``/v1/responses``: a response is a run; it can be read again, followed again and cancelled.

The conversation is the one of ``previous_response_id``, else the one that ``conversation`` names, else the one with ``user``,
else the agent's main one. The agent remembers all of it in any case.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Header, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from pagemind.api.here import Caller, Here
from pagemind.api.openai.asking import Once, OwnTool, Sampling, accepted, own_tools
from pagemind.api.openai.composing import Composer
from pagemind.api.openai.content import Content, text_of
from pagemind.api.openai.ending import failure_of, waiting_calls
from pagemind.api.openai.route import Json, openai_router, refusal
from pagemind.api.openai.streaming import named, streamed
from pagemind.api.openai.talk import agent_of, conversation_of, named_conversation
from pagemind.api.openai.telling import Ended, Teller
from pagemind.errors import UnknownRecord
from pagemind.events import from_json
from pagemind.records import Agent, Approval, Conversation, Input, Request, Role, Run
from pagemind.store import run_events, runs

router = openai_router()

MOST_ITEMS = 10_000
ROLES = {"user": Role.user, "system": Role.system, "developer": Role.system}


class InputItem(BaseModel):
    """A message, or what a tool of the caller's gave back; items of other types were made here and are known already."""

    type: str = Field(default="message", max_length=100)
    role: Literal["user", "system", "developer", "assistant"] | None = None
    content: Content = None
    call_id: str | None = Field(default=None, max_length=200)
    output: Content = None


class ResponseTool(OwnTool):
    """A function of the caller's."""

    type: Literal["function"]


class NamedConversation(BaseModel):
    """A conversation by its id."""

    id: str = Field(max_length=100)


class ResponseRequest(Sampling):
    """What is asked; parameters that are not named here are left to the agent."""

    model: str = Field(max_length=500)
    input: str | Annotated[list[InputItem], Field(max_length=MOST_ITEMS)]
    instructions: str | None = Field(default=None, max_length=200_000)
    stream: bool | None = False
    background: bool | None = False
    max_output_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    previous_response_id: str | None = Field(default=None, max_length=100)
    conversation: str | NamedConversation | None = None
    metadata: Annotated[dict[str, Annotated[str, Field(max_length=512)]], Field(max_length=16)] | None = None
    tools: Annotated[list[ResponseTool], Field(max_length=128)] | None = None
    tool_choice: Any = None
    user: str | None = Field(default=None, min_length=1, max_length=200)
    safety_identifier: str | None = Field(default=None, min_length=1, max_length=200)


@router.post("/v1/responses")
async def create(
    here: Caller,
    asked: ResponseRequest,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    x_stainless_retry_count: Annotated[int, Header(ge=0, le=1000)] = 0,
) -> Response:
    """Say it to the agent, and give its response: whole, as it comes, or at once with ``background``."""
    inputs, approvals = new_in(asked.input)
    agent = await agent_of(here, asked.model)
    conversation, identity = await conversation_for(here, agent, asked)
    request = Request(
        approvals=tuple(approvals),
        client_tools=own_tools(asked.tools or (), asked.tool_choice),
        instructions=asked.instructions,
        model=asked.overrides(asked.max_output_tokens),
    )
    once = Once(idempotency_key, x_stainless_retry_count > 0)
    run = await accepted(here, conversation.id, inputs, request, once, sender=identity, kept={"response": kept(asked)})
    if asked.stream:
        return streamed(stream(here, run))
    return JSONResponse(await as_stored(here, run) if asked.background else await whole(here, run))


@router.get("/v1/responses/{response_id}")
async def retrieve(
    here: Caller, response_id: str, stream: bool = False, starting_after: Annotated[int | None, Query(ge=0)] = None
) -> Response:
    """The response as far as it is; with ``stream`` from its first event on, or from the one after ``starting_after``."""
    run = await run_of(here, response_id)
    if stream:
        return streamed(replay(here, run, starting_after))
    return JSONResponse(await as_stored(here, run))


@router.post("/v1/responses/{response_id}/cancel")
async def cancel(here: Caller, response_id: str) -> Response:
    """Cancel it; one that has ended stays as it is."""
    run = await run_of(here, response_id)
    if run.finished_at is None:
        await here.runtime.cancel(run.id)
        return JSONResponse(await whole(here, run))
    return JSONResponse(await as_stored(here, run))


@router.delete("/v1/responses/{response_id}")
async def delete(here: Caller, response_id: str) -> Response:
    """Refused: a response is part of the agent's history."""
    await run_of(here, response_id)
    raise refusal(
        "A response is part of the agent's history and is kept with it. Delete the conversation instead.",
        code="not_supported",
        status=HTTPStatus.NOT_IMPLEMENTED,
    )


def new_in(given: str | list[InputItem]) -> tuple[list[Input], list[Approval]]:
    """What was said, and what the caller's tools gave back."""
    if isinstance(given, str):
        return [Input(given)], []
    after = max((place for place, item in enumerate(given) if item.role == "assistant"), default=-1)
    new = given[after + 1 :]
    inputs = [Input(text_of(item.content), ROLES[item.role]) for item in new if item.type == "message" and item.role]
    returns = [item for item in new if item.type == "function_call_output"]
    if not inputs and not returns:
        raise refusal("There is nothing new to answer in the input.", "input")
    if any(not item.call_id for item in returns):
        raise refusal("A function_call_output has no call_id.", "input")
    return inputs, [Approval(item.call_id or "", result=text_of(item.output)) for item in returns]


async def conversation_for(here: Here, agent: Agent, asked: ResponseRequest) -> tuple[Conversation, str | None]:
    """Where it is said, and who says it."""
    conversation, identity = await conversation_of(here, agent, asked.user or asked.safety_identifier)
    if asked.previous_response_id is not None:
        before = await run_of(here, asked.previous_response_id)
        return await named_conversation(here, agent, f"conv-{before.conversation_id}"), identity
    if asked.conversation is not None:
        name = asked.conversation if isinstance(asked.conversation, str) else asked.conversation.id
        return await named_conversation(here, agent, name), identity
    return conversation, identity


def kept(asked: ResponseRequest) -> Json:
    """What of the request is given back with the response."""
    return {
        "model": asked.model,
        "instructions": asked.instructions,
        "metadata": asked.metadata or {},
        "temperature": asked.temperature,
        "max_output_tokens": asked.max_output_tokens,
        "previous_response_id": asked.previous_response_id,
        "user": asked.user,
        "background": bool(asked.background),
        "tools": [
            {
                "type": "function",
                "name": each.name,
                "description": each.description,
                "parameters": each.parameters,
                "strict": False,
            }
            for each in asked.tools or ()
        ],
    }


async def run_of(here: Here, response_id: str) -> Run:
    """The run behind ``resp_<uuid>``."""
    try:
        async with here.transaction() as session:
            return await runs.get(session, UUID(response_id.removeprefix("resp_")))
    except (ValueError, UnknownRecord):
        message = f"There is no response {response_id[:80]!r}."
        raise refusal(message, "response_id", code="not_found", status=HTTPStatus.NOT_FOUND) from None


async def whole(here: Here, run: Run) -> Json:
    """The response when it has ended."""
    body: Json = {}
    async for event in events(here, run):
        body = event.get("response", body)
    return body


async def as_stored(here: Here, run: Run) -> Json:
    """The response as far as the store has it."""
    async with here.transaction() as session:
        told_so_far = [from_json(row.data) for row in await run_events.after(session, run.id, 0)]
    if run.finished_at is not None:
        return await whole(here, run)
    teller, composer = Teller(), Composer(run.id)
    for event in told_so_far:
        for told in teller.tell(event):
            if not isinstance(told, Ended):
                list(composer.add(told))
    list(composer.close())
    return body_of(run, "queued" if run.state == "queued" else "in_progress", composer)


async def stream(here: Here, run: Run) -> AsyncIterator[bytes]:
    """The response's events, each under its name and number."""
    number = 0
    async for event in events(here, run):
        yield named(event["type"], {**event, "sequence_number": number})
        number += 1


async def replay(here: Here, run: Run, starting_after: int | None) -> AsyncIterator[bytes]:
    """The events again; those up to ``starting_after`` are left out where the whole is the same as before.

    What was streamed live came in smaller pieces than what is stored, so that numbers differ: whoever resumes with a number
    gets the whole response at its end in any case.
    """
    number = 0
    async for event in events(here, run):
        if starting_after is None or number > starting_after or event["type"] in FINAL:
            yield named(event["type"], {**event, "sequence_number": number})
        number += 1


NOTHING_KEPT: Json = {"model": "", "instructions": None, "metadata": {}, "temperature": None, "tools": []}
"""Of a run that was not asked for here."""
FINAL = {"response.completed", "response.failed", "response.incomplete", "response.cancelled"}


async def events(here: Here, run: Run) -> AsyncIterator[Json]:
    """The response's events without their numbers; the last has the whole."""
    teller, composer = Teller(), Composer(run.id)
    yield {"type": "response.created", "response": body_of(run, "queued" if run.background else "in_progress", composer)}
    yield {"type": "response.in_progress", "response": body_of(run, "in_progress", composer)}
    async for event in here.runtime.follow(run.id):
        for told in teller.tell(event):
            if isinstance(told, Ended):
                async for last in endings(here, run, composer, told):
                    yield last
            else:
                for each in composer.add(told):
                    yield each


async def endings(here: Here, run: Run, composer: Composer, ended: Ended) -> AsyncIterator[Json]:
    """What is still open is closed, and the response ends."""
    for each in composer.close():
        yield each
    for call in await waiting_calls(here, run, ended):
        for each in composer.call(call):
            yield each
    status = status_of(ended)
    # Cancelled is a state of OpenAI's and no event of theirs.
    kind = "completed" if status == "cancelled" else status
    yield {"type": f"response.{kind}", "response": body_of(run, status, composer, ended)}


def status_of(ended: Ended) -> str:
    """How it ended, in OpenAI's words."""
    if ended.state in ("failed", "cancelled"):
        return ended.state
    return "incomplete" if ended.stop_reason in ("max_tokens", "max_steps", "max_seconds") else "completed"


def body_of(run: Run, status: str, composer: Composer, ended: Ended | None = None) -> Json:
    """The response."""
    failure = failure_of(ended) if ended and ended.state == "failed" else None
    return {
        "id": f"resp_{run.id}",
        "object": "response",
        "created_at": int(run.created_at.timestamp()),
        "status": status,
        "error": {"code": "server_error", "message": failure.message} if failure else None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "output": list(composer.output),
        "conversation": {"id": f"conv-{run.conversation_id}"},
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "top_p": None,
        "reasoning": {"effort": None, "summary": None},
        "store": True,
        "text": {"format": {"type": "text"}},
        "truncation": "disabled",
        "usage": usage(ended) if ended else None,
        **{
            "model": "",
            "instructions": None,
            "metadata": {},
            "temperature": None,
            "tools": [],
            **run.extra.get("response", {}),
        },
    }


def usage(ended: Ended) -> Json:
    """The tokens of all model calls of the run."""
    return {
        "input_tokens": ended.prompt_tokens,
        "input_tokens_details": {"cached_tokens": ended.cached_tokens},
        "output_tokens": ended.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": ended.prompt_tokens + ended.completion_tokens,
    }
