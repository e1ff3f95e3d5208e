"""The compiler: a view becomes a prompt. Pure, and the same bytes for the same view.

Order (DESIGN.md, *write-back*): static text, tools, the blocks' snapshot, the summary, the append-only history. Only the end
grows until the epoch rolls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pagemind.records import Block, CallRequest, Message, Prompt, PromptMessage, Role, Segments, ToolSchema
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


def compile_prompt(view: Resident, fixed: Fixed, how: Generation) -> Prompt:
    """The prompt for the run's next step. Segments are our own counts; ``correction`` is the server's."""
    context = "\n\n".join(part for part in (fixed.snapshot, fixed.summary) if part)
    head = (PromptMessage("system", fixed.system),)
    if context:
        head = (*head, PromptMessage("user", context))
    return Prompt(
        messages=(*head, *history(view.messages)),
        tools=fixed.tools,
        segments=Segments(
            system=fixed.system_tokens,
            tools=fixed.tools_tokens,
            blocks=fixed.snapshot_tokens,
            summary=fixed.summary_tokens,
            messages=sum(message.tokens for message in view.messages),
            reserve=how.max_reply_tokens,
            correction=view.conversation.bias_tokens,
        ),
        max_reply_tokens=how.max_reply_tokens,
        model=how.model,
        temperature=how.temperature,
    )


def history(messages: Sequence[Message]) -> Iterable[PromptMessage]:
    """The messages as the model reads them."""
    before: datetime | None = None
    for message in messages:
        match Role(message.role):
            case Role.user:
                paused = before is None or message.created_at - before > PAUSE
                yield PromptMessage("user", stamped(message) if paused else message.content)
            case Role.notice:
                yield PromptMessage("user", message.content)
            case Role.assistant:
                yield PromptMessage("assistant", message.content, calls=calls(message), reasoning=message.reasoning)
            case Role.tool:
                yield PromptMessage("tool", message.content, call_id=message.call_id, name=message.name)
        before = message.created_at


def stamped(message: Message) -> str:
    """The message's text under the time it was sent at."""
    return f"<time>{message.created_at:%A %Y-%m-%d %H:%M} UTC</time>\n{message.content}"


def calls(message: Message) -> tuple[CallRequest, ...]:
    """The tool calls that an assistant's message made."""
    return tuple(CallRequest(call["id"], call["name"], call["arguments"]) for call in message.calls or ())


def revisions(blocks: Iterable[Block]) -> dict[str, int]:
    """Block id -> revision, as ``Conversation.known_revisions`` keeps it."""
    return {str(block.id): block.revision for block in blocks}
