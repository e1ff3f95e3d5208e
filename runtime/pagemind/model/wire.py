"""The OpenAI chat wire: a ``Prompt`` becomes a request body, streamed chunks become ``Piece``s. No other file knows it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pagemind.errors import ReplyTooLong
from pagemind.records import (
    CallPiece,
    CallRequest,
    Completion,
    Piece,
    Prompt,
    PromptMessage,
    ReasoningPiece,
    TextPiece,
    ToolSchema,
    Usage,
)

Json = dict[str, Any]

NOT_IN_SCHEMAS = frozenset({"maxLength", "minLength", "pattern"})
"""vLLM's tool parsers break on them; lengths are checked when the call is made."""
REASONING_FIELDS = ("reasoning_content", "reasoning")


# --- there -------------------------------------------------------------------------------------------------------------


def request_body(prompt: Prompt, model: str, *, reply_field: str = "max_tokens", reasoning_field: str | None = None) -> Json:
    """The body of ``POST /chat/completions``: the same bytes for the same prompt, keys sorted, tools in the given order.

    ``reasoning_field`` names the field in which this server's family takes earlier thinking back; None sends none.
    """
    body: Json = {"messages": chat_messages(prompt.messages, reasoning_field), "model": prompt.model or model}
    body |= {reply_field: prompt.max_reply_tokens, "stream": True, "stream_options": {"include_usage": True}}
    if prompt.temperature is not None:
        body["temperature"] = prompt.temperature
    if prompt.tools:
        body["tools"] = [chat_tool(tool) for tool in prompt.tools]
        if prompt.tool_choice != "auto":
            body["tool_choice"] = prompt.tool_choice
    return {name: body[name] for name in sorted(body)}


def chat_messages(messages: Iterable[PromptMessage], reasoning_field: str | None = None) -> list[Json]:
    """The messages as the wire has them. Users in a row become one: many templates demand that roles alternate."""
    sent: list[Json] = []
    for message in messages:
        if message.role == "user" and sent and sent[-1]["role"] == "user":
            sent[-1]["content"] += f"\n\n{message.content}"
        else:
            sent.append(chat_message(message, reasoning_field))
    return sent


def chat_message(message: PromptMessage, reasoning_field: str | None) -> Json:
    """One message, keys sorted."""
    made: Json = {"content": message.content, "role": message.role}
    if message.role == "assistant":
        if message.calls:
            made["tool_calls"] = [chat_call(call) for call in message.calls]
            made["content"] = message.content or None
        if reasoning_field and message.reasoning:
            made[reasoning_field] = message.reasoning
    if message.role == "tool":
        made["tool_call_id"] = message.call_id or ""
    return {name: made[name] for name in sorted(made)}


def chat_call(call: CallRequest) -> Json:
    """A call sent back: its arguments as the model wrote them, if they are a JSON object."""
    return {"function": {"arguments": sendable(call.arguments), "name": call.name}, "id": call.id, "type": "function"}


def sendable(arguments: str) -> str:
    """Arguments that a server's chat template can parse; vLLM answers 400 to any others, for ever after."""
    try:
        parsed: object = json.loads(arguments)
    except ValueError:
        parsed = None
    return arguments if isinstance(parsed, dict) else json.dumps({"malformed_arguments": arguments[:500]})


def chat_tool(tool: ToolSchema) -> Json:
    """A tool's declaration. Its properties keep their order: models write arguments in it."""
    function = {"description": tool.description, "name": tool.name, "parameters": plain_schema(tool.parameters)}
    return {"function": function, "type": "function"}


def plain_schema(schema: Any) -> Any:
    """The schema without the keywords of ``NOT_IN_SCHEMAS``; a property may still be called so."""
    if isinstance(schema, list):
        return [plain_schema(part) for part in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    given = cast("Json", schema)
    return {
        key: {name: plain_schema(part) for name, part in value.items()} if key == "properties" else plain_schema(value)
        for key, value in given.items()
        if key not in NOT_IN_SCHEMAS
    }


# --- and back ----------------------------------------------------------------------------------------------------------


@dataclass
class CallDraft:
    """A tool call as far as it has come."""

    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""
    announced: bool = False

    def add(self, delta: Json) -> None:
        """Add a delta. The name may come in pieces, or whole and again in each chunk."""
        self.id = self.id or text_of(delta.get("id"))
        function = object_of(delta.get("function"))
        piece = text_of(function.get("name"))
        self.name += "" if piece == self.name else piece
        arguments = function.get("arguments")
        self.arguments += json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, dict) else text_of(arguments)

    def begun(self) -> Iterable[Piece]:
        """Announce the call, once, as soon as its name is whole."""
        if not self.announced and self.name:
            self.announced = True
            yield CallPiece(self.name)

    def request(self) -> CallRequest:
        """The call. No text at all means no arguments; a missing id is made up, since returns refer to it."""
        return CallRequest(
            self.id or f"call_{secrets.token_hex(8)}", self.name, (self.arguments.strip() and self.arguments) or "{}"
        )


class ReplyReader:
    """Puts a reply together from its chunks, whatever liberties the server takes."""

    def __init__(self, limit_chars: int) -> None:
        self._limit_chars = limit_chars
        self._chars = 0
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[CallDraft] = []
        self._finish_reason = ""
        self._usage: Json = {}
        self._usage_alone = False
        self._model = ""

    @property
    def ended(self) -> bool:
        """Whether the reply came to its end: a finish reason, or the usage chunk that only ever stands last."""
        return bool(self._finish_reason) or self._usage_alone

    def read(self, chunk: object) -> Iterable[Piece]:
        """The pieces in one chunk. Raises ``ReplyTooLong`` once text, thinking and arguments pass the limit together."""
        data = object_of(chunk)
        choices = [object_of(choice) for choice in list_of(data.get("choices"))]
        self._model = self._model or text_of(data.get("model"))
        if usage := object_of(data.get("usage")):
            self._usage = usage
            self._usage_alone = self._usage_alone or not choices
        for choice in choices[:1]:
            yield from self._delta(object_of(choice.get("delta")))
            self._finish_reason = text_of(choice.get("finish_reason")) or self._finish_reason
            if self._finish_reason:
                yield from (piece for call in self._calls for piece in call.begun())

    def completion(self) -> Completion:
        """The whole reply."""
        calls = tuple(call.request() for call in self._calls)
        return Completion(
            text="".join(self._text),
            calls=calls,
            reasoning="".join(self._reasoning),
            finish_reason=self._finish_reason or ("tool_calls" if calls else "stop"),
            usage=usage_of(self._usage),
            model=self._model,
        )

    def _delta(self, delta: Json) -> Iterable[Piece]:
        for field in REASONING_FIELDS:
            if thought := text_of(delta.get(field)):
                self._count(thought)
                self._reasoning.append(thought)
                yield ReasoningPiece(thought)
                break
        if text := text_of(delta.get("content")):
            self._count(text)
            self._text.append(text)
            yield TextPiece(text)
        for part in list_of(delta.get("tool_calls")):
            yield from self._call_delta(object_of(part))

    def _call_delta(self, delta: Json) -> Iterable[Piece]:
        draft = self._draft(delta)
        before = len(draft.arguments) + len(draft.name)
        draft.add(delta)
        self._count_chars(len(draft.arguments) + len(draft.name) - before)
        if draft.arguments:
            yield from draft.begun()

    def _draft(self, delta: Json) -> CallDraft:
        """The call that a delta goes on with, or a new one: by index; without one, by id; with neither, the last."""
        index, call_id = delta.get("index"), text_of(delta.get("id"))
        index = index if isinstance(index, int) else None
        for draft in reversed(self._calls):
            same_id = not call_id or not draft.id or draft.id == call_id
            if same_id and (index is None or draft.index is None or draft.index == index):
                if index is None and call_id and draft.id != call_id:
                    continue
                return draft
        draft = CallDraft(index)
        self._calls.append(draft)
        return draft

    def _count(self, text: str) -> None:
        self._count_chars(len(text))

    def _count_chars(self, count: int) -> None:
        self._chars += count
        if self._chars > self._limit_chars:
            raise ReplyTooLong(limit=self._limit_chars)


def usage_of(usage: Json) -> Usage:
    """Token counts as the server reported them."""
    details = object_of(usage.get("prompt_tokens_details"))
    return Usage(
        prompt_tokens=whole(usage.get("prompt_tokens")),
        cached_tokens=whole(details.get("cached_tokens")),
        completion_tokens=whole(usage.get("completion_tokens")),
    )


def error_text(body: object) -> str:
    """What an error body says, whether as ``{"error": {"message"}}``, ``{"message"}``, ``{"detail"}`` or plain text."""
    data = object_of(body)
    inner = data.get("error")
    found = object_of(inner).get("message") or inner or data.get("message") or data.get("detail") or body
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, default=str)


def text_of(value: object) -> str:
    """A string; the text parts of a list of parts, as some servers send; else nothing."""
    if isinstance(value, list):
        return "".join(text_of(object_of(part).get("text")) for part in cast("list[object]", value))
    return value if isinstance(value, str) else ""


def object_of(value: object) -> Json:
    """A JSON object, or an empty one."""
    return cast("Json", value) if isinstance(value, dict) else {}


def list_of(value: object) -> Sequence[object]:
    """A JSON array, or an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []


def whole(value: object) -> int | None:
    """A number of tokens, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
