"""Letta's messages as ours: what is packed in them is unpacked, and a history that was cut is mended.

Letta stores what a tool gave back, and what its runtime tells the model, as small JSON documents inside the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from pagemind.records import Json, Message, Role
from pagemind.records.text import clean_text

UNANSWERED = "This call was not answered before the agent was moved here."
SUMMARY = "The following is a summary of the previous messages:"
OLD_KINDS = frozenset({"memgpt_agent", "memgpt_v2_agent", "sleeptime_agent", "voice_convo_agent", "voice_sleeptime_agent"})
"""Types of agents that think in the text beside a call."""
NewId = Callable[[str], UUID]
"""From an id where a message comes from to its id here."""


@dataclass(frozen=True)
class Said:
    """A user's message of Letta's, unpacked. ``role`` is None for what is of no use to anybody (a login)."""

    role: Role | None
    text: str
    is_summary: bool = False


def said(text: str) -> Said:
    """What stands in a user's message: the person's words, or Letta's runtime speaking."""
    match packed(text):
        case {"type": "user_message", "message": str(words)}:
            return Said(Role.user, words)
        case {"type": "system_alert", "message": str(words)}:
            _, found, summary = words.partition(SUMMARY)
            return Said(Role.system, summary.strip() or words, is_summary=bool(found))
        case {"type": "heartbeat", "reason": str(words)}:
            return Said(Role.system, words)
        case {"type": "login"}:
            return Said(None, "")
        case _:
            return Said(Role.user, text)


def returned(value: object) -> tuple[str, bool | None]:
    """What a tool gave back, and whether it went well; None where the value does not say."""
    text = as_text(value)
    match packed(text):
        case {"status": str(status), "message": message, "time": _}:
            return as_text(message), status == "OK"
        case _:
            return text, None


def packed(text: str) -> Json:
    """The JSON object that the text is; empty where it is none."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("Json", value) if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    """The value as a model reads it."""
    if value is None:
        return ""
    return clean_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


@dataclass(frozen=True)
class Content:
    """A message's content, by what it is for."""

    text: str
    reasoning: str
    parts: list[Json] | None
    """The text and image parts as they came, where it was more than one text."""


def content_of(content: str | Sequence[Json] | None) -> Content:
    """The content of a message, from a text or Letta's parts."""
    if content is None or isinstance(content, str):
        return Content(clean_text(content or ""), "", None)
    texts = [as_text(part.get("text")) for part in content if part.get("type") == "text"]
    thoughts = [as_text(part.get("reasoning")) for part in content if part.get("type") == "reasoning"]
    kept = [part for part in map(kept_part, content) if part is not None]
    is_plain = all(part["type"] == "text" for part in kept) and len(kept) <= 1
    return Content("\n".join(texts), "\n".join(filter(None, thoughts)), None if is_plain else kept)


def kept_part(part: Json) -> Json | None:
    """A part as it is kept: a text, or an image with its data."""
    source: Any = part.get("source")
    match part.get("type"):
        case "text":
            return {"type": "text", "text": as_text(part.get("text"))}
        case "image" if isinstance(source, dict):
            image = cast("Json", source)
            if image.get("data"):
                kept = {name: image.get(name) for name in ("media_type", "data")}
                return {"type": "image", "source": {"type": "base64", **kept}}
            return {"type": "image", "source": image} if image.get("url") else None
        case _:
            return None


def is_prompt(text: str, instructions: str) -> bool:
    """Whether a system message is the prompt that Letta compiled, which is compiled anew here."""
    return "<memory_metadata>" in text or (bool(instructions) and text.startswith(instructions[:500]))


def mended(messages: Iterable[Message], new_id: NewId) -> tuple[list[Message], int]:
    """The history with exactly one return to each call before the next message; how many were lacking or too many.

    A call without a return gets one that says so, and a return without its call goes.
    """
    whole: list[Message] = []
    open_calls: dict[str, str] = {}
    asking: Message | None = None
    wrong = 0

    def close() -> None:
        nonlocal wrong
        for call_id, name in open_calls.items():
            if asking is not None:
                whole.append(unanswered(asking, call_id, name, new_id))
                wrong += 1
        open_calls.clear()

    for message in messages:
        if message.role == Role.tool:
            if message.call_id not in open_calls:
                wrong += 1
                continue
            message.name = open_calls.pop(message.call_id) or message.name
        elif message.role != Role.approval:
            close()
            open_calls = {call["id"]: call["name"] for call in message.calls or ()}
            asking = message
        whole.append(message)
    close()
    return whole, wrong


def unanswered(asking: Message, call_id: str, name: str, new_id: NewId) -> Message:
    """The return of a call that had none."""
    return Message(
        tenant_id=asking.tenant_id,
        id=new_id(f"{asking.id}/{call_id}"),
        conversation_id=asking.conversation_id,
        role=Role.tool,
        content=UNANSWERED,
        call_id=call_id,
        name=name,
        status="error",
        created_at=asking.created_at,
    )
