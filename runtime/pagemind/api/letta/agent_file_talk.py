"""Our messages as an agent file of Letta's has them: the prompt first, then what is in the history."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from uuid import uuid4

from pagemind.api.letta.history import SUMMARY
from pagemind.engine.agent_files import Talk
from pagemind.records import Agent, Block, Json, Message, Role

ALERT = "Note: earlier messages of this conversation are out of view.\n"


def messages_json(agent: Agent, blocks: Sequence[Block], talk: Talk, agent_id: str) -> list[Json]:
    """The messages, each with ``in_context`` beside Letta's keys: whether it stands in the window."""
    began = talk.messages[0].created_at if talk.messages else agent.created_at
    head = [message_json(Role.system, prompt_of(agent, blocks), began)]
    inside = list(talk.messages[talk.out :])
    if talk.conversation.summary and talk.out:
        head.append(message_json(Role.user, alert(f"{ALERT}{SUMMARY}\n {talk.conversation.summary}", began), began))
    out = [{**each, "in_context": False} for each in spoken(talk.messages[: talk.out])]
    whole = [head[0], *out, *head[1:], *spoken(inside)]
    return [
        {**message, "id": f"message-{place}", "agent_id": agent_id, "in_context": message.get("in_context", True)}
        for place, message in enumerate(whole)
    ]


def prompt_of(agent: Agent, blocks: Sequence[Block]) -> str:
    """The prompt in Letta's form. It compiles its own at the next change of memory."""
    shown = "\n".join(
        f"<{block.label}>\n<description>\n{block.description}\n</description>\n<metadata>\n"
        f"- chars_current={len(block.value)}\n- chars_limit={block.limit_chars}\n</metadata>\n"
        f"<value>\n{block.value}\n</value>\n</{block.label}>\n"
        for block in blocks
    )
    return f"{agent.instructions}\n\n<memory_blocks>\n{shown}\n</memory_blocks>\n\n<memory_metadata>\n</memory_metadata>"


def spoken(messages: Iterable[Message]) -> list[Json]:
    """Messages of the history; the returns of one step are one message of Letta's."""
    found: list[Json] = []
    for is_return, group in groupby(messages, key=lambda message: message.role == Role.tool):
        some = list(group)
        found += [returns(some)] if is_return else map(said, some)
    return found


def said(message: Message) -> Json:
    """A message that is no return."""
    match Role(message.role):
        case Role.user:
            return message_json(Role.user, message.content, message.created_at, parts=message.parts)
        case Role.system | Role.notice | Role.tool:
            return message_json(Role.user, alert(message.content, message.created_at), message.created_at)
        case Role.assistant:
            return assistant(message)
        case Role.approval:
            decisions = [decision(each) for each in message.approvals or ()]
            return message_json(Role.approval, "", message.created_at, approvals=decisions)


def assistant(message: Message) -> Json:
    """An assistant's message, or a request for approval of its calls."""
    calls: list[Json] = [
        {"id": call["id"], "function": {"arguments": call["arguments"], "name": call["name"]}, "type": "function"}
        for call in message.calls or ()
    ]
    thought = [{"type": "reasoning", "is_native": True, "reasoning": message.reasoning, "signature": None}]
    return message_json(
        Role.approval if message.needs_approval else Role.assistant,
        message.content,
        message.created_at,
        before=thought if message.reasoning else (),
        tool_calls=calls or None,
        tool_call_id=calls[0]["id"] if calls and message.needs_approval else None,
    )


def returns(messages: Sequence[Message]) -> Json:
    """What the tools of one step gave back."""
    texts = [packed_return(message) for message in messages]
    first = messages[0]
    return message_json(
        Role.tool,
        "",
        first.created_at,
        parts=[{"type": "text", "text": text} for text in texts],
        name=first.name,
        tool_call_id=first.call_id,
        tool_returns=[
            {
                "tool_call_id": message.call_id,
                "status": "error" if message.status == "error" else "success",
                "stdout": None,
                "stderr": None,
                "func_response": text,
            }
            for message, text in zip(messages, texts, strict=True)
        ],
    )


def decision(given: Json) -> Json:
    """An answer to a call that waited."""
    if given.get("result") is not None:
        status = "error" if given.get("status") == "error" else "success"
        return {"type": "tool", "tool_call_id": given["call_id"], "tool_return": given["result"], "status": status}
    approved = bool(given.get("approve"))
    return {"type": "approval", "tool_call_id": given["call_id"], "approve": approved, "reason": given.get("reason") or None}


def packed_return(message: Message) -> str:
    """A return as Letta stores it."""
    status = "Failed" if message.status == "error" else "OK"
    return packed({"status": status, "message": message.content, "time": clock(message.created_at)})


def alert(text: str, at: datetime) -> str:
    """What the runtime tells the model, as Letta stores it."""
    return packed({"type": "system_alert", "message": text, "time": clock(at)})


def packed(value: Json) -> str:
    """The object as Letta writes it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def clock(at: datetime) -> str:
    """A time as Letta writes it for models."""
    return f"{at:%Y-%m-%d %I:%M:%S %p} UTC+0000"


def message_json(
    role: Role,
    text: str,
    at: datetime,
    *,
    parts: Sequence[Json] | None = None,
    before: Sequence[Json] = (),
    **more: object,
) -> Json:
    """A message with all of Letta's keys but its ids."""
    own: Sequence[Json] = [{"type": "text", "text": text}] if text and parts is None else parts or ()
    signed = [{**part, "signature": None} if part.get("type") == "text" else part for part in own]
    return {
        "type": "message",
        "otid": str(uuid4()),
        "group_id": None,
        "role": str(role),
        "content": [*before, *signed],
        "name": None,
        "sender_id": None,
        "batch_item_id": None,
        "model": None,
        "tool_calls": None,
        "tool_call_id": None,
        "tool_returns": [],
        "created_at": at.isoformat(),
        "approve": None,
        "approval_request_id": None,
        "denial_reason": None,
        "approvals": [],
        **more,
    }
