"""``/v1/chat/completions``: the agent keeps the state, so that only what is new in a request counts.

New is what follows the request's last assistant message: front ends send the whole conversation each time. ``user`` selects
an identity and the agent's conversation with it; without one it is the agent's main conversation. ``tools`` are the caller's
own, offered beside the agent's; a call of one ends the answer with ``tool_calls``, and messages of the role ``tool`` go on from
there.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Header, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from pagemind.api.here import Caller, Here
from pagemind.api.openai.asking import Once, OwnTool, Sampling, accepted, own_tools
from pagemind.api.openai.content import Content, text_of
from pagemind.api.openai.ending import Waiting, failed, failure_of, usage_of, waiting_calls
from pagemind.api.openai.route import Json, openai_router, refusal
from pagemind.api.openai.streaming import DONE, data, streamed
from pagemind.api.openai.talk import agent_of, conversation_of
from pagemind.api.openai.telling import Ended, Said, Teller, Thought
from pagemind.records import Approval, Input, Request, Role, Run

router = openai_router()

MOST_MESSAGES = 10_000
ROLES = {"user": Role.user, "system": Role.system, "developer": Role.system}


class ChatMessage(BaseModel):
    """A message of the request."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content = None
    name: str | None = Field(default=None, max_length=200)
    tool_call_id: str | None = Field(default=None, max_length=200)


class StreamOptions(BaseModel):
    """What a stream tells beside the text."""

    include_usage: bool = False


class ChatTool(BaseModel):
    """A function of the caller's."""

    type: Literal["function"]
    function: OwnTool


class ChatRequest(Sampling):
    """What is asked; parameters that are not named here are left to the agent."""

    model: str = Field(max_length=500)
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MOST_MESSAGES)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    tools: Annotated[list[ChatTool], Field(max_length=128)] | None = None
    tool_choice: Any = None
    user: str | None = Field(default=None, min_length=1, max_length=200)
    safety_identifier: str | None = Field(default=None, min_length=1, max_length=200)


@router.post("/v1/chat/completions")
async def complete(
    here: Caller,
    asked: ChatRequest,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    x_stainless_retry_count: Annotated[int, Header(ge=0, le=1000)] = 0,
) -> Response:
    """Say what is new to the agent, and give its answer, whole or as it comes."""
    inputs, approvals = new_in(asked.messages)
    agent = await agent_of(here, asked.model)
    conversation, identity = await conversation_of(here, agent, asked.user or asked.safety_identifier)
    request = Request(
        approvals=tuple(approvals),
        client_tools=own_tools([tool.function for tool in asked.tools or ()], asked.tool_choice),
        model=asked.overrides(asked.max_completion_tokens or asked.max_tokens),
    )
    once = Once(idempotency_key, x_stainless_retry_count > 0)
    run = await accepted(here, conversation.id, inputs, request, once, sender=identity)
    if asked.stream:
        return streamed(chunks(here, run, asked))
    return JSONResponse(await whole(here, run, asked.model), headers={"x-should-retry": "false"})


def new_in(messages: list[ChatMessage]) -> tuple[list[Input], list[Approval]]:
    """What follows the last assistant message: what was said, and what the caller's tools gave back."""
    after = max((place for place, message in enumerate(messages) if message.role == "assistant"), default=-1)
    new = messages[after + 1 :]
    if not new:
        raise refusal("The last message is the assistant's: there is nothing new to answer.", "messages")
    inputs = [Input(text_of(each.content), ROLES[each.role], name=each.name) for each in new if each.role in ROLES]
    returns = [each for each in new if each.role == "tool"]
    for each in returns:
        if not each.tool_call_id:
            raise refusal("A message of the role tool has no tool_call_id.", "messages")
    return inputs, [Approval(each.tool_call_id or "", result=text_of(each.content)) for each in returns]


async def whole(here: Here, run: Run, model: str) -> Json:
    """The answer when it is there. A run that failed is a failure of the request."""
    said, thought = "", ""
    teller = Teller()
    ended: Ended | None = None
    async for event in here.runtime.follow(run.id):
        for told in teller.tell(event):
            match told:
                case Said(text):
                    said += text
                case Thought(text):
                    thought += text
                case Ended():
                    ended = told
    assert ended is not None
    if ended.state == "failed":
        raise failed(ended)
    calls = await waiting_calls(here, run, ended)
    message: Json = {"role": "assistant", "content": said or (None if calls else ""), "refusal": None}
    if thought:
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = [tool_call(call) for call in calls]
    choice = {"index": 0, "message": message, "finish_reason": finish_reason(ended), "logprobs": None}
    return {**head(run.id, model, "chat.completion"), "choices": [choice], "usage": usage_of(ended)}


async def chunks(here: Here, run: Run, asked: ChatRequest) -> AsyncIterator[bytes]:
    """The answer as it comes; thoughts and tools at work as ``reasoning_content``."""
    top = head(run.id, asked.model, "chat.completion.chunk")
    yield data(chunk(top, {"role": "assistant", "content": ""}))
    teller = Teller()
    async for event in here.runtime.follow(run.id):
        for told in teller.tell(event):
            match told:
                case Said(text):
                    yield data(chunk(top, {"content": text}))
                case Thought(text):
                    yield data(chunk(top, {"reasoning_content": text}))
                case Ended(state="failed"):
                    yield data(failure_of(told).body)
                case Ended():
                    calls = await waiting_calls(here, run, told)
                    if calls:
                        yield data(
                            chunk(top, {"tool_calls": [{"index": n, **tool_call(call)} for n, call in enumerate(calls)]})
                        )
                    yield data(chunk(top, {}, finish_reason(told)))
                    if asked.stream_options and asked.stream_options.include_usage:
                        yield data({**top, "choices": [], "usage": usage_of(told)})
    yield DONE


def head(run_id: UUID, model: str, kind: str) -> Json:
    """What every answer begins with."""
    return {"id": f"chatcmpl-{run_id}", "object": kind, "created": int(time.time()), "model": model, "system_fingerprint": None}


def chunk(top: Json, delta: Json, finish: str | None = None) -> Json:
    """One piece of a stream."""
    return {**top, "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]}


def tool_call(call: Waiting) -> Json:
    """A call that waits for the caller."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def finish_reason(ended: Ended) -> str:
    """Why the answer ended, in OpenAI's words."""
    match ended.stop_reason:
        case "requires_approval":
            return "tool_calls"
        case "max_tokens" | "max_steps" | "max_seconds":
            return "length"
        case _:
            return "stop"
