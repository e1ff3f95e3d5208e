"""The OpenAI chat wire: a ``Prompt`` becomes a request body; ``model/reply.py`` is the way back. No other file knows it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from pagemind.records import CallRequest, Prompt, PromptMessage, ToolSchema

Json = dict[str, Any]

NOT_IN_SCHEMAS = frozenset({"maxLength", "minLength", "pattern"})
"""vLLM's tool parsers break on them; lengths are checked when the call is made."""


# --- there -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dialect:
    """How one server wants its requests. The default is what any OpenAI-compatible server understands."""

    reply_field: str = "max_tokens"
    reasoning_field: str | None = None
    """The field in which it takes earlier thinking back; None sends none."""
    merges_users: bool = False
    """Users in a row are sent as one message: some chat templates demand that roles alternate."""
    strict: bool = False
    """It constrains arguments to their schema for tools that say ``strict``."""
    priority: bool = False
    """It takes a ``priority``, where the smaller number goes first."""
    cache_salt: bool = False
    """It takes a ``cache_salt``."""
    requires: bool = True
    """It lets a reply be forced to call a tool."""


ANY_SERVER = Dialect()
BACKGROUND_PRIORITY = 100
"""Calls that somebody waits for have the default, 0, and say nothing."""


def request_body(prompt: Prompt, model: str, dialect: Dialect = ANY_SERVER) -> Json:
    """The body of ``POST /chat/completions``: the same bytes for the same prompt, keys sorted, tools in the given order."""
    body: Json = {"messages": chat_messages(prompt.messages, dialect), "model": prompt.model or model}
    body |= {dialect.reply_field: prompt.max_reply_tokens, "stream": True, "stream_options": {"include_usage": True}}
    if prompt.temperature is not None:
        body["temperature"] = prompt.temperature
    if prompt.response_format is not None:
        body["response_format"] = prompt.response_format
    if prompt.tools:
        body["tools"] = chat_tools(prompt.tools, dialect)
        if prompt.tool_choice == "required" and dialect.requires:
            only = {"function": {"name": prompt.only_tool}, "type": "function"}
            body["tool_choice"] = only if prompt.only_tool else prompt.tool_choice
        elif prompt.tool_choice == "none":
            body["tool_choice"] = prompt.tool_choice
        if prompt.parallel_calls is not None:
            body["parallel_tool_calls"] = prompt.parallel_calls
    if prompt.background and dialect.priority:
        body["priority"] = BACKGROUND_PRIORITY
    if prompt.cache_salt and dialect.cache_salt:
        body["cache_salt"] = prompt.cache_salt
    return {name: body[name] for name in sorted(body)}


Extra = Literal["priority", "cache_salt", "strict", "requires", "users_in_a_row"]
REFUSED_EXTRAS: dict[Extra, re.Pattern[str]] = {
    "priority": re.compile(r"priority", re.IGNORECASE),
    "cache_salt": re.compile(r"cache.?salt", re.IGNORECASE),
    "requires": re.compile(r"tool.?choice", re.IGNORECASE),
    "users_in_a_row": re.compile(r"\balternat|consecutive|in a row", re.IGNORECASE),
    "strict": re.compile(r"\bstrict|structur\w+.(?:tag|output)|grammar|json.?schema", re.IGNORECASE),
}


def refused_extra(dialect: Dialect, body: Json, evidence: str) -> Extra | None:
    """The extra of ``body`` that a refusal complains about; None if it is about none of them."""
    stands: dict[Extra, bool] = {
        "priority": "priority" in body,
        "cache_salt": "cache_salt" in body,
        "requires": body.get("tool_choice", "none") != "none",
        "users_in_a_row": not dialect.merges_users,
        "strict": dialect.strict and "tools" in body,
    }
    return next((extra for extra, words in REFUSED_EXTRAS.items() if stands[extra] and words.search(evidence)), None)


def without(dialect: Dialect, extra: Extra) -> Dialect:
    """The dialect without that extra."""
    match extra:
        case "priority":
            return replace(dialect, priority=False)
        case "cache_salt":
            return replace(dialect, cache_salt=False)
        case "requires":
            return replace(dialect, requires=False)
        case "users_in_a_row":
            return replace(dialect, merges_users=True)
        case "strict":
            return replace(dialect, strict=False)


def chat_messages(messages: Iterable[PromptMessage], dialect: Dialect = ANY_SERVER) -> list[Json]:
    """The messages as the wire has them."""
    sent: list[Json] = []
    for message in messages:
        if dialect.merges_users and message.role == "user" and sent and sent[-1]["role"] == "user":
            sent[-1]["content"] += f"\n\n{message.content}"
        else:
            sent.append(chat_message(message, dialect.reasoning_field))
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


def chat_tools(tools: Iterable[ToolSchema], dialect: Dialect = ANY_SERVER) -> list[Json]:
    """The declarations of tools, in the given order. Properties keep theirs: models write arguments in it."""
    return [chat_tool(tool, strict=dialect.strict) for tool in tools]


def chat_tool(tool: ToolSchema, *, strict: bool) -> Json:
    """A tool's declaration."""
    function: Json = {"description": tool.description, "name": tool.name, "parameters": plain_schema(tool.parameters)}
    return {"function": function | {"strict": True} if strict else function, "type": "function"}


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


# --- and back: other people's JSON, read with suspicion ------------------------------------------------------------------


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
