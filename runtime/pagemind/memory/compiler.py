"""The compiler: a view becomes a prompt. Pure, and the same bytes for the same view.

Order (DESIGN.md, *write-back*): static text, tools, the blocks' snapshot, the summary, the append-only history. Only the end
grows until the epoch rolls, and each part is a message of its own, so that what comes after it can change without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Literal

from pagemind.memory.waiting import closed
from pagemind.records import Agent, Block, CallRequest, Json, Message, Prompt, PromptMessage, Role, Segments, ToolSchema
from pagemind.records.view import Resident

# A turn that follows the one before after a longer pause than this starts with the time, so that the agent knows its day.
PAUSE = timedelta(minutes=30)


@dataclass(frozen=True)
class Fixed:
    """What stands before the history: rendered texts and their tokens."""

    system: str
    system_tokens: int
    tools: tuple[ToolSchema, ...]
    tools_tokens: int
    """The tools, and what the chat template puts around a prompt."""
    snapshot: str
    snapshot_tokens: int
    summary: str
    summary_tokens: int


@dataclass(frozen=True)
class Generation:
    """How the model is asked."""

    max_reply_tokens: int
    model: str | None = None
    temperature: float | None = None
    parallel_calls: bool | None = None
    response_format: Json | None = None
    tool_choice: Literal["auto", "none", "required"] = "auto"
    only_tool: str | None = None


def compile_prompt(view: Resident, fixed: Fixed, how: Generation) -> Prompt:
    """The prompt for the run's next step, without calls that wait for an answer (contract D6).

    Segments are our own counts; ``correction`` is the server's.
    """
    messages = closed(view.messages)
    prompted, tokens = view.prompted, view.tokens - sum(message.tokens for message in view.messages[len(messages) :])
    if prompted is None:
        prompted, tokens = tuple(map(as_prompts, messages)), sum(message.tokens for message in messages)
    return Prompt(
        messages=(*head(fixed), *chain.from_iterable(prompted[: len(messages)])),
        tools=fixed.tools,
        segments=Segments(
            system=fixed.system_tokens,
            tools=fixed.tools_tokens,
            blocks=fixed.snapshot_tokens,
            summary=fixed.summary_tokens,
            messages=tokens,
            reserve=how.max_reply_tokens,
            correction=view.conversation.bias_tokens,
        ),
        max_reply_tokens=how.max_reply_tokens,
        model=how.model,
        temperature=how.temperature,
        tool_choice=how.tool_choice,
        only_tool=how.only_tool,
        parallel_calls=how.parallel_calls,
        response_format=how.response_format,
        affinity=str(view.conversation.id),
    )


def head(fixed: Fixed) -> tuple[PromptMessage, ...]:
    """The messages before the history: system text, snapshot, summary, without those that are empty."""
    texts = [text for text in (fixed.snapshot, fixed.summary) if text]
    return (PromptMessage("system", fixed.system), *(PromptMessage("user", text) for text in texts))


def as_prompts(message: Message) -> tuple[PromptMessage, ...]:
    """The message as the model reads it, after the time it was sent at where it came after a pause.

    The time stands in a message of its own, so that what was said is read as it was said.
    """
    return (PromptMessage("user", time_of(message)), as_prompt(message)) if message.stamped else (as_prompt(message),)


def as_prompt(message: Message) -> PromptMessage:
    """The message by itself; the same for ever, whatever comes before and after."""
    match Role(message.role):
        case Role.user | Role.notice | Role.system:
            # Many chat templates refuse a system message that is not the first.
            return PromptMessage("user", message.content)
        case Role.assistant:
            return PromptMessage("assistant", message.content, calls=calls(message), reasoning=message.reasoning)
        case Role.tool:
            return PromptMessage("tool", message.content, call_id=message.call_id, name=message.name)
        case Role.approval:
            raise ValueError("an approval is no part of a prompt")


def paused(before: datetime | None, message: Message) -> bool:
    """Whether the message came after a pause, or first of all, so that the agent should read its time."""
    return before is None or message.created_at - before > PAUSE


def time_of(message: Message) -> str:
    """When the message was sent."""
    return f"<time>{message.created_at:%A %Y-%m-%d %H:%M} UTC</time>"


def calls(message: Message) -> tuple[CallRequest, ...]:
    """The tool calls that an assistant's message made."""
    return tuple(CallRequest(call["id"], call["name"], call["arguments"]) for call in message.calls or ())


def revisions(blocks: Iterable[Block]) -> dict[str, int]:
    """Block id -> revision, as ``Conversation.known_revisions`` keeps it."""
    return {str(block.id): block.revision for block in blocks}


def files_revision(agent: Agent) -> dict[str, int]:
    """The same of the agent's folders and open files, under the agent's own id; nothing where it never had any."""
    return {str(agent.id): agent.files_revision} if agent.files_revision else {}
