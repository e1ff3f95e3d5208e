"""What goes to a reasoner and what comes back, in our own words; the wire's words stand in ``model/wire.py`` only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class ToolSchema:
    """A tool as the model sees it. ``parameters`` is a JSON Schema object with neither ``maxLength`` nor ``pattern``."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class CallRequest:
    """A tool call as the model wrote it: ``arguments`` is its JSON text, unparsed and perhaps not JSON at all."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class PromptMessage:
    """One message of a prompt. ``call_id`` and ``name`` are set on a tool's return, ``calls`` on an assistant's."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    calls: tuple[CallRequest, ...] = ()
    call_id: str | None = None
    name: str | None = None
    reasoning: str = ""


@dataclass(frozen=True)
class Segments:
    """The window by segment, in tokens (DESIGN's *system, tools, blocks, summary, messages, reserve*)."""

    system: int = 0
    tools: int = 0
    blocks: int = 0
    summary: int = 0
    messages: int = 0
    reserve: int = 0
    correction: int = 0
    """What the server counts more, or less, than these segments: its chat template, and counts that were estimates."""

    @property
    def used(self) -> int:
        """The prompt's tokens: all segments, as corrected, but the reserve, which is kept free for the reply."""
        return self.system + self.tools + self.blocks + self.summary + self.messages + self.correction


@dataclass(frozen=True)
class Prompt:
    """One model call. The messages only ever grow at the end until the epoch rolls."""

    messages: tuple[PromptMessage, ...]
    tools: tuple[ToolSchema, ...] = ()
    segments: Segments = field(default_factory=Segments)
    max_reply_tokens: int = 1024
    purpose: Literal["step", "summary"] = "step"
    model: str | None = None
    temperature: float | None = None
    must_call: bool = False
    """The reply has to call a tool; doctor asks so, runs never do."""


@dataclass(frozen=True)
class Usage:
    """Token counts as the server reported them; None where it reported none."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True)
class Completion:
    """A whole reply. ``finish_reason`` is ``stop``, ``tool_calls``, ``length`` or what the server says."""

    text: str
    calls: tuple[CallRequest, ...] = ()
    reasoning: str = ""
    finish_reason: str = "stop"
    usage: Usage = field(default_factory=Usage)
    model: str = ""


@dataclass(frozen=True)
class TextPiece:
    """A piece of the reply's text."""

    text: str


@dataclass(frozen=True)
class ReasoningPiece:
    """A piece of the reply's thinking."""

    text: str


@dataclass(frozen=True)
class CallPiece:
    """The reasoner began to write a call of the tool ``name``."""

    name: str


Piece = TextPiece | ReasoningPiece | CallPiece | Completion
"""What a reasoner streams: pieces as they come, and last, exactly once, the whole ``Completion``."""


class TokenCounter(Protocol):
    """Counts tokens as the reasoner would."""

    async def count(self, text: str) -> int:
        """The tokens of ``text`` alone, without any chat template around it."""
        ...

    @property
    def exact(self) -> bool:
        """Whether counts come from the model's own tokenizer rather than from an estimate."""
        ...
