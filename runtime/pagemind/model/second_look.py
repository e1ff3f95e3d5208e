"""A second look at a reply in whose text a tool call stands that the server did not parse.

Servers are started with the wrong tool parser or with none, and models slip into the syntax of another family. The syntaxes
are those of the chat templates that the families publish: Hermes and Qwen, Qwen3-Coder, GLM, Llama, Mistral, DeepSeek, Kimi.
A call counts only if the reply ends with it, if it begins a line (only markers that are tokens of their own may follow text),
and if its tool was offered: prose about calls and quoted examples stay what they are.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from pagemind.model.wire import Json, list_of, object_of
from pagemind.records import CallRequest, Completion, Prompt, ToolSchema

FENCE = "```"
MOST_CALLS = 64
Tools = Mapping[str, ToolSchema]


@dataclass(frozen=True)
class Call:
    """A call as it stands in a text."""

    name: str
    arguments: Json


class NoCall(Exception):
    """No call stands here."""


Read = Callable[[str, int, Tools], tuple[list[Call], int]]
"""Reads what stands at a place: calls, and the place behind them. Raises ``NoCall``, or ``ValueError`` on bad JSON."""


def second_look(reply: Completion, prompt: Prompt) -> Completion:
    """The reply with the calls that its text ends with as calls, and what stands before them as text; else the same object.

    A reply that was cut off at its length is left alone: nobody knows how its last call would have gone on.
    """
    if reply.calls or reply.finish_reason == "length" or prompt.tool_choice == "none":
        return reply
    found = trailing_calls(reply.text, prompt.tools)
    if found is None:
        return reply
    text, calls = found
    made = tuple(
        CallRequest(f"call_{secrets.token_hex(8)}", call.name, json.dumps(call.arguments, ensure_ascii=False)) for call in calls
    )
    return replace(reply, text=text, calls=made, finish_reason="tool_calls")


def trailing_calls(text: str, tools: Sequence[ToolSchema]) -> tuple[str, list[Call]] | None:
    """What stands before the calls that a text ends with, and the calls; None if it does not end with any."""
    offered = {tool.name: tool for tool in tools}
    for syntax in SYNTAXES if offered else ():
        for start in [match.start() for match in syntax.opening.finditer(text)][-MOST_CALLS:]:
            calls = syntax.read_to_end(text, start, offered)
            if calls and text.count(FENCE, 0, start) % 2 == 0:
                return text[:start].rstrip(), calls
    return None


@dataclass(frozen=True)
class Syntax:
    """How a family writes calls: what the first one begins with, how one is read, what may close them all."""

    opening: re.Pattern[str]
    read: Read
    closing: re.Pattern[str] = re.compile(r"\s*\Z")

    def read_to_end(self, text: str, at: int, tools: Tools) -> list[Call] | None:
        """The calls from this place to the end of the text; None if anything else stands there, or another tool."""
        calls: list[Call] = []
        try:
            while not self.closing.match(text, at):
                more, at = self.read(text, at, tools)
                calls += more
        except (NoCall, ValueError, RecursionError):
            return None
        return calls if all(call.name in tools for call in calls) else None


# --- the families ------------------------------------------------------------------------------------------------------


def read_hermes(text: str, at: int, tools: Tools) -> tuple[list[Call], int]:
    """``<tool_call>{"name": ..., "arguments": {...}}</tool_call>``; the last closing tag may be missing."""
    found, at = json_at(text, expect(r"\s*<tool_call>\s*", text, at).end())
    return [named(found)], expect(r"\s*(?:</tool_call>|\Z)", text, at).end()


def read_qwen_coder(text: str, at: int, tools: Tools) -> tuple[list[Call], int]:
    """``<function=NAME><parameter=KEY>VALUE</parameter></function>``, within ``<tool_call>`` or not."""
    head = expect(r"\s*(?:<tool_call>\s*)?<function=([\w.-]+)>", text, at)
    pairs, at = pairs_at(r"\s*<parameter=([^>\s]+)>(.*?)</parameter>", text, head.end())
    return [typed(head[1], pairs, tools)], expect(r"\s*</function>(?:\s*</tool_call>)?", text, at).end()


def read_glm(text: str, at: int, tools: Tools) -> tuple[list[Call], int]:
    """``<tool_call>NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value></tool_call>``."""
    head = expect(r"\s*<tool_call>\s*([\w.-]+)", text, at)
    pairs, at = pairs_at(r"\s*<arg_key>\s*([^\s<]+)\s*</arg_key>\s*<arg_value>(.*?)</arg_value>", text, head.end())
    return [typed(head[1], pairs, tools)], expect(r"\s*</tool_call>", text, at).end()


def read_llama(text: str, at: int, tools: Tools) -> tuple[list[Call], int]:
    """``{"name": ..., "parameters": {...}}``, the first perhaps after ``<|python_tag|>``, the next after a semicolon."""
    found, at = json_at(text, expect(r"\s*(?:<\|python_tag\|>|;)?\s*(?=\{)", text, at).end())
    return [named(found)], at


def read_mistral(text: str, at: int, tools: Tools) -> tuple[list[Call], int]:
    """``[TOOL_CALLS][{"name": ..., "arguments": {...}}]``, or ``[TOOL_CALLS]NAME[ARGS]{...}`` for each."""
    at = expect(r"\s*\[TOOL_CALLS\]\s*", text, at).end()
    if text.startswith("[", at):
        found, at = json_at(text, at)
        return [named(each) for each in list_of(found)], at
    head = expect(r"([\w.-]+?)\s*(?:\[CALL_ID\]\s*\w+\s*)?(?:\[ARGS\])?\s*(?=\{)", text, at)
    found, at = json_at(text, head.end())
    return [Call(head[1], arguments_of(found))], at


def read_deepseek(text: str, at: int, tools: Tools) -> tuple[list[Call], int]:
    """Between ``<｜tool▁call▁begin｜>`` and its end: ``NAME<｜tool▁sep｜>{...}``, or the type first and the JSON fenced."""
    head = expect(
        r"\s*(?:<｜tool▁calls▁begin｜>\s*)?<｜tool▁call▁begin｜>\s*(?:function<｜tool▁sep｜>)?([\w.-]+)(?:<｜tool▁sep｜>|\s)\s*(?:```json\s*)?",
        text,
        at,
    )
    found, at = json_at(text, head.end())
    return [Call(head[1], arguments_of(found))], expect(r"\s*(?:```)?\s*<｜tool▁call▁end｜>", text, at).end()


def read_kimi(text: str, at: int, tools: Tools) -> tuple[list[Call], int]:
    """``<|tool_call_begin|>functions.NAME:0<|tool_call_argument_begin|>{...}<|tool_call_end|>``."""
    head = expect(
        r"\s*(?:<\|tool_calls_section_begin\|>\s*)?<\|tool_call_begin\|>\s*(?:functions\.)?([\w.-]+?)(?::\d+)?\s*"
        r"<\|tool_call_argument_begin\|>\s*",
        text,
        at,
    )
    found, at = json_at(text, head.end())
    return [Call(head[1], arguments_of(found))], expect(r"\s*<\|tool_call_end\|>", text, at).end()


LINE = r"(?:\A|(?<=\n))[ \t]*"
SYNTAXES = (
    Syntax(re.compile(LINE + r"<tool_call>\s*\{"), read_hermes),
    Syntax(re.compile(LINE + r"(?:<tool_call>\s*)?<function="), read_qwen_coder),
    Syntax(re.compile(LINE + r"<tool_call>\s*\w"), read_glm),
    # Bare JSON is a call only where nothing else is said.
    Syntax(re.compile(r"\A\s*(?=\{)|" + LINE + r"<\|python_tag\|>"), read_llama),
    Syntax(re.compile(LINE + r"\[TOOL_CALLS\]"), read_mistral),
    Syntax(
        re.compile("<｜tool▁calls▁begin｜>|<｜tool▁call▁begin｜>"),
        read_deepseek,
        re.compile(r"\s*(?:<｜tool▁calls▁end｜>\s*)?\Z"),
    ),
    Syntax(
        re.compile(r"<\|tool_calls_section_begin\|>|<\|tool_call_begin\|>"),
        read_kimi,
        re.compile(r"\s*(?:<\|tool_calls_section_end\|>\s*)?\Z"),
    ),
)


# --- what they share ---------------------------------------------------------------------------------------------------

# Models write line breaks into strings as they are.
DECODER = json.JSONDecoder(strict=False)


def expect(pattern: str, text: str, at: int) -> re.Match[str]:
    """The match of a pattern at a place. Raises ``NoCall``."""
    found = re.compile(pattern).match(text, at)
    if found is None:
        raise NoCall
    return found


def json_at(text: str, at: int) -> tuple[object, int]:
    """The JSON value at a place and the place behind it. Raises ``ValueError``."""
    return DECODER.raw_decode(text, at)


def named(found: object) -> Call:
    """A call from its object, which has a name, its arguments under one of two keys, and nothing that a call has not."""
    given = object_of(found)
    keys = given.keys() & {"arguments", "parameters"}
    if not isinstance(given.get("name"), str) or len(keys) != 1 or given.keys() - {"name", "id", "type", *keys}:
        raise NoCall
    return Call(given["name"], arguments_of(given[keys.pop()]))


def arguments_of(found: object) -> Json:
    """Arguments: an object, or the JSON text of one. Raises ``NoCall``."""
    value: Any = json.loads(found, strict=False) if isinstance(found, str) else found
    if not isinstance(value, dict):
        raise NoCall
    return cast("Json", value)


def pairs_at(pattern: str, text: str, at: int) -> tuple[list[tuple[str, str]], int]:
    """Keys and values, one after the other, and the place behind them."""
    compiled, pairs = re.compile(pattern, re.DOTALL), list[tuple[str, str]]()
    while found := compiled.match(text, at):
        pairs.append((found[1], found[2]))
        at = found.end()
    return pairs, at


def typed(name: str, pairs: Iterable[tuple[str, str]], tools: Tools) -> Call:
    """A call whose values are texts: they stay so where the schema asks for a string, and are JSON elsewhere."""
    properties = object_of(tools[name].parameters.get("properties")) if name in tools else {}
    return Call(name, {key: value_of(value, object_of(properties.get(key))) for key, value in pairs})


def value_of(text: str, schema: Json) -> object:
    """The value that a text stands for; the line breaks next to its tags are not part of it."""
    text = text.removeprefix("\n").removesuffix("\n")
    if "string" in types_of(schema):
        return None if text == "null" and "null" in types_of(schema) else text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def types_of(schema: Json) -> set[str]:
    """The JSON types that a schema allows, those of its alternatives too."""
    given = schema.get("type")
    types = {given} if isinstance(given, str) else {each for each in list_of(given) if isinstance(each, str)}
    for part in (*list_of(schema.get("anyOf")), *list_of(schema.get("oneOf"))):
        types |= types_of(object_of(part))
    if not types and all(isinstance(value, str) for value in list_of(schema.get("enum"))) and schema.get("enum"):
        types = {"string"}
    return types
