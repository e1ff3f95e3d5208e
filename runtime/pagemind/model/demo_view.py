"""What the demo reasoner sees: a prompt read back into blocks, the newest question, and what was done about it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from pagemind.records import CallRequest, Prompt, PromptMessage

BLOCK = re.compile(r'<block label="(?P<label>[^"]*)"(?P<more>(?:\s+\w+="[^"]*")*)\s*>\n?(?P<value>.*?)\n?</block>', re.S)
NOTICE = re.compile(
    r'The block "(?P<label>[^"]*)" was changed by [^\n]*?\. It (?:now reads:\n(?P<value>.*?)|is empty now\.)'
    r'(?=\nThe block "|\s*</memory_notice>)',
    re.S,
)
NOT_THE_USER = re.compile(r"\s*<(?:memory_blocks|summary|memory_notice|runtime_notice|time)\b")
HIT = re.compile(
    r"^(?:#(?P<seq>\d+)\s+(?P<role>\w+)\s+(?P<when>\d{4}-\d\d-\d\d(?: \d\d:\d\d)?)|-\s*(?:\[(?P<date>[^\]]*)\])?)"
    r":?\s*(?P<text>.*)$"
)
TAGS = re.compile(r"\s*\((?:tags|score)[^()]*\)\s*$")
FAILED = ("Refused", "Error", "Failed", "Not run", "Outcome unknown")


@dataclass(frozen=True)
class BlockSeen:
    """A block as the prompt tells of it, all later edits and notices included."""

    label: str
    value: str
    read_only: bool

    @property
    def lines(self) -> list[str]:
        """Its lines that hold something."""
        return [line for line in self.value.split("\n") if line.strip()]


@dataclass(frozen=True)
class Done:
    """A call made since the newest user message, with its result."""

    call: CallRequest
    result: str

    @property
    def ok(self) -> bool:
        """Whether the tool did what it was asked."""
        return not self.result.startswith(FAILED)

    def argument(self, *names: str) -> str:
        """The first of these arguments that is there, as text."""
        given = parsed(self.call)
        return next((str(given[name]) for name in names if name in given), "")


@dataclass(frozen=True)
class Hit:
    """One line that a search gave back. ``place`` says where it is from, such as ``#12, 2023-05-08``."""

    text: str
    place: str
    role: str = ""


@dataclass(frozen=True)
class Seen:
    """A prompt, read back. ``muddled`` says that the runtime found our last reply unusable."""

    question: str
    blocks: tuple[BlockSeen, ...]
    done: tuple[Done, ...]
    tools: frozenset[str]
    muddled: bool


def read_prompt(prompt: Prompt) -> Seen:
    """Read a prompt back into what the rules work on."""
    newest = max((at for at, message in enumerate(prompt.messages) if by_user(message)), default=-1)
    since = prompt.messages[newest + 1 :] if newest >= 0 else ()
    return Seen(
        question=prompt.messages[newest].content.strip() if newest >= 0 else "",
        blocks=blocks_of(prompt.messages),
        done=tuple(returns(since)),
        tools=frozenset(tool.name for tool in prompt.tools),
        muddled=any("<runtime_notice>" in message.content for message in since if message.role == "user"),
    )


def by_user(message: PromptMessage) -> bool:
    """Whether a person wrote it, and not the runtime."""
    return message.role == "user" and not NOT_THE_USER.match(message.content)


def returns(messages: Sequence[PromptMessage]) -> Iterable[Done]:
    """Each call with its return, in order."""
    calls = {call.id: call for message in messages for call in message.calls}
    for message in messages:
        if message.role == "tool" and message.call_id in calls:
            yield Done(calls[message.call_id], message.content)


def blocks_of(messages: Sequence[PromptMessage]) -> tuple[BlockSeen, ...]:
    """The blocks as they are now: the snapshot, then every edit and notice after it."""
    seen: dict[str, BlockSeen] = {}
    calls = {call.id: call for message in messages for call in message.calls}
    for message in messages:
        if message.role == "user" and message.content.lstrip().startswith("<memory_blocks"):
            for found in BLOCK.finditer(message.content):
                seen[found["label"]] = BlockSeen(found["label"], found["value"], 'read_only="true"' in found["more"])
        elif message.role == "user" and message.content.lstrip().startswith("<memory_notice"):
            for found in NOTICE.finditer(message.content):
                if block := seen.get(found["label"]):
                    seen[block.label] = replace(block, value=(found["value"] or "").strip("\n"))
        elif message.role == "tool" and message.call_id in calls:
            done = Done(calls[message.call_id], message.content)
            if done.ok and (block := seen.get(done.argument("label"))):
                seen[block.label] = replace(block, value=edited(block.value, done))
    return tuple(seen.values())


def edited(value: str, done: Done) -> str:
    """The block's value after a call that edited it."""
    match done.call.name:
        case "core_memory_append" | "memory_insert":
            return "\n".join(part for part in (value, done.argument("content", "new_string")) if part)
        case "core_memory_replace" | "memory_replace":
            old, new = done.argument("old_content", "old_string"), done.argument("new_content", "new_string")
            return value.replace(old, new, 1) if old else value
        case "memory_rethink":
            return done.argument("new_memory")
        case _:
            return value


def parsed(call: CallRequest) -> dict[str, Any]:
    """A call's arguments; empty where they are no JSON object."""
    try:
        given: object = json.loads(call.arguments)
    except ValueError:
        return {}
    return cast("dict[str, Any]", given) if isinstance(given, dict) else {}


def hits_of(result: str) -> list[Hit]:
    """The hits in a search's result, one a line; a line that begins no hit goes on with the one before."""
    hits: list[Hit] = []
    for line in result.splitlines():
        found = HIT.match(line)
        if found:
            place = f"#{found['seq']}, {found['when'].strip()}" if found["seq"] else (found["date"] or "archive")
            hits.append(Hit(TAGS.sub("", found["text"]).strip(), place, found["role"] or ""))
        elif hits and line.strip():
            hits[-1] = replace(hits[-1], text=f"{hits[-1].text} {line.strip()}")
    return hits
