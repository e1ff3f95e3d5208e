"""Messages on Letta's wire: one stored message becomes several of theirs, which share its id."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from pagemind.api.ids import optional_id, wire_id
from pagemind.api.times import message_date
from pagemind.engine.drafts import UNREADABLE
from pagemind.records import Json, Message, Role

KINDS = (
    "system_message", "user_message", "assistant_message", "reasoning_message", "hidden_reasoning_message",
    "tool_call_message", "tool_return_message", "approval_request_message", "approval_response_message", "summary_message",
    "event_message",
)  # fmt: skip
STATUS = {"ok": "success", "error": "error"}
SYSTEM_BITS = 0x3C3C3C3C_3C3C_0C3C_0C3C_3C3C3C3C3C3C
"""Leaves alone the bits that say that an id is a version 4."""


@dataclass(frozen=True)
class Showing:
    """How a caller wants to see messages: a tool that speaks as words, some types alone, paging told of or not."""

    speaks: bool = True
    """Whether the text of the call ``tool`` is shown as an assistant's message, and its return is not."""
    tool: str = "send_message"
    argument: str = "message"
    types: frozenset[str] | None = None
    compactions: bool = False

    def spoken(self, name: str | None) -> bool:
        """Whether a call of this tool is shown as words."""
        return self.speaks and name == self.tool

    def wanted(self, parts: Iterable[Json]) -> list[Json]:
        """Those of the asked-for types."""
        return list(parts) if self.types is None else [part for part in parts if part["message_type"] in self.types]


PLAIN = Showing()


@dataclass(frozen=True)
class Reply:
    """An assistant's message: what of it stands on the wire."""

    message_id: UUID
    date: str
    text: str
    reasoning: str = ""
    calls: Sequence[Json] = ()
    waits: bool = False
    """Whether its calls wait for an answer."""
    step_id: UUID | None = None
    run_id: UUID | None = None
    more: Json = field(default_factory=dict[str, object])
    """``name`` and ``sender_id``, where it has them."""

    def part(self, kind: str, index: int, **own: object) -> Json:
        """One of its parts."""
        return {
            **head(self.message_id, self.date, kind, otid(self.message_id, index), self.step_id, self.run_id),
            **self.more,
            **own,
        }


def head(
    message_id: UUID, date: str, kind: str, its_otid: str | None, step_id: UUID | None = None, run_id: UUID | None = None
) -> Json:
    """What every message has on the wire."""
    return {
        "id": f"message-{message_id}",
        "date": date,
        "name": None,
        "message_type": kind,
        "otid": its_otid,
        "sender_id": None,
        "step_id": None if step_id is None else f"step-{step_id}",
        "is_err": None,
        "seq_id": None,
        "run_id": None if run_id is None else f"run-{run_id}",
    }


def otid(message_id: UUID, index: int) -> str:
    """The id of a message's part: the message's own, with the part's index in its last seven bits."""
    return f"{str(message_id)[:-2]}{message_id.int & 0x80 | index & 0x7F:02x}"


def system_message_id(conversation_id: UUID) -> UUID:
    """The id of the system message that a conversation begins with; and, given that, the conversation's."""
    return UUID(int=conversation_id.int ^ SYSTEM_BITS)


def system_message(conversation_id: UUID, date: str, text: str) -> Json:
    """What a conversation's prompt begins with, as its first message."""
    return {**head(system_message_id(conversation_id), date, "system_message", None), "content": text}


def shown(messages: Iterable[Message], showing: Showing = PLAIN) -> list[Json]:
    """The messages, in their order, each in its parts."""
    return showing.wanted(part for message in messages for part in message_parts(message, showing))


def message_parts(message: Message, showing: Showing) -> list[Json]:
    """One message in its parts; none of a notice, which the runtime says to the model alone."""
    match Role(message.role):
        case Role.user:
            return [said(message, "user_message")]
        case Role.system:
            return [said(message, "system_message")]
        case Role.assistant:
            return reply_parts(reply_of(message), showing)
        case Role.tool if showing.spoken(message.name):
            return []
        case Role.tool:
            return [returned(message)]
        case Role.approval:
            return [answered(message)]
        case Role.notice:
            return []


def said(message: Message, kind: str) -> Json:
    """An input."""
    own_otid = message.otid or otid(message.id, 0)
    content: object = message.content
    if message.parts:
        content = [{**part, "signature": None} if part.get("type") == "text" else part for part in message.parts]
    return {
        **head(message.id, message_date(message.created_at), kind, own_otid, message.step_id, message.run_id),
        "name": message.name,
        "sender_id": message.sender,
        "content": content,
    }


def reply_of(message: Message) -> Reply:
    """An assistant's message as a reply."""
    return Reply(
        message_id=message.id,
        date=message_date(message.created_at),
        text=message.content,
        reasoning=message.reasoning,
        calls=message.calls or (),
        waits=message.needs_approval,
        step_id=message.step_id,
        run_id=message.run_id,
        more={"name": message.name, "sender_id": message.sender},
    )


def reply_parts(reply: Reply, showing: Showing) -> list[Json]:
    """The parts of a reply: its thinking, its words, its calls."""
    parts: list[Json] = []
    if reply.reasoning:
        parts.append(thinking(reply, 0, reply.reasoning))
    if reply.text.strip() and reply.text != UNREADABLE:
        parts.append(reply.part("assistant_message", len(parts), content=reply.text))
    return [*parts, *call_parts(reply, showing, len(parts))]


def thinking(reply: Reply, index: int, text: str) -> Json:
    """A part that is thinking."""
    return reply.part("reasoning_message", index, source="reasoner_model", reasoning=text, signature=None)


def call_parts(reply: Reply, showing: Showing, index: int) -> list[Json]:
    """The parts of a reply that are calls: one for those side by side; a call that speaks stands for itself.

    Those that wait for an answer stand last, in a part of their own.
    """
    parts: list[Json] = []
    together: list[Json] = []

    def close(kind: str = "tool_call_message") -> None:
        if together:
            parts.append(reply.part(kind, index + len(parts), tool_call=together[0], tool_calls=list(together)))
            together.clear()

    waiting = waiting_calls(reply)
    for call in (*(call for call in reply.calls if call not in waiting), *waiting):
        if waiting and call is waiting[0]:
            close()
        words = None if call in waiting else spoken(call, showing)
        if words is None:
            together.append({"name": call["name"], "arguments": call["arguments"], "tool_call_id": call["id"]})
        else:
            close()
            parts.append(reply.part("assistant_message", index + len(parts), content=words))
    close("approval_request_message" if waiting else "tool_call_message")
    return parts


def waiting_calls(reply: Reply) -> list[Json]:
    """The calls that wait for an answer: those that say so, else all of a reply that does."""
    marked = [call for call in reply.calls if call.get("waits")]
    return marked or (list(reply.calls) if reply.waits else [])


def spoken(call: Json, showing: Showing) -> str | None:
    """The words of a call that speaks; None of any other."""
    if not showing.spoken(call["name"]):
        return None
    try:
        given: object = json.loads(call["arguments"])
    except ValueError:
        return None
    words = cast("Json", given).get(showing.argument) if isinstance(given, dict) else None
    if words is None:
        return None
    return words if isinstance(words, str) else json.dumps(words, ensure_ascii=False)


def returned(message: Message) -> Json:
    """A tool's return."""
    base = head(
        message.id,
        message_date(message.created_at),
        "tool_return_message",
        otid(message.id, 0),
        message.step_id,
        message.run_id,
    )
    return {**base, "name": message.name, **return_fields(message.call_id or "", message.content, message.status)}


def return_fields(call_id: str, text: str, status: str) -> Json:
    """What a tool's return says, once for itself and once in the list of all."""
    one: Json = {"tool_return": text, "status": STATUS[status], "tool_call_id": call_id, "stdout": None, "stderr": None}
    return {**one, "tool_returns": [{"type": "tool", **one}]}


def answered(message: Message) -> Json:
    """The answers to calls that waited."""
    answers = [answer(each) for each in message.approvals or ()]
    nothing: Json = {}
    decided = next((each for each in answers if each["type"] == "approval"), nothing)
    base = head(
        message.id,
        message_date(message.created_at),
        "approval_response_message",
        message.otid or otid(message.id, 0),
        message.step_id,
        message.run_id,
    )
    return {
        **base,
        "approvals": answers,
        "approve": decided.get("approve"),
        "approval_request_id": decided.get("tool_call_id"),
        "reason": decided.get("reason"),
    }


def answer(approval: Json) -> Json:
    """One of them: a decision, or what a client's tool gave back."""
    if approval.get("result") is None:
        reason = approval.get("reason") or None
        return {"type": "approval", "tool_call_id": approval["call_id"], "approve": approval["approve"], "reason": reason}
    return {
        "type": "tool",
        "tool_return": approval["result"],
        "status": STATUS[approval["status"]],
        "tool_call_id": approval["call_id"],
        "stdout": None,
        "stderr": None,
    }


def usage(prompt: int, completion: int, steps: int, cached: int | None, context: int | None) -> Json:
    """The tokens of a run, summed over its steps."""
    return {
        "message_type": "usage_statistics",
        "completion_tokens": completion,
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "step_count": steps,
        "run_ids": None,
        "cached_input_tokens": cached,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "context_tokens": context,
    }


def stop(reason: str) -> Json:
    """Why a run ended."""
    return {"message_type": "stop_reason", "stop_reason": reason}


def search_hit(part: Json, agent_id: UUID, conversation_id: UUID | None, created_at: str) -> Json | None:
    """A part of a message that was found; None of a kind that a search does not show."""
    kind = part["message_type"]
    content = "reasoning" if kind == "reasoning_message" else "content"
    if content not in part:
        return None
    return {
        "message_id": part["id"],
        "message_type": kind,
        content: part[content],
        "agent_id": wire_id("agent", agent_id),
        "conversation_id": optional_id("conv", conversation_id),
        "created_at": created_at,
    }


def wire_json(body: Any) -> bytes:
    """A body as bytes, made once."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
