"""What goes to a reasoner and what comes back, in our own words; the wire's words stand in ``model/wire.py`` only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class ToolSchema:
    """A tool as the model sees it. ``parameters`` is a JSON Schema object with neither ``maxLength`` nor ``pattern``."""

    name: str
    description: str
    parameters: dict[str, Any]

    @cached_property
    def text(self) -> str:
        """The declaration as one line of JSON, its properties in their own order: models write arguments in it."""
        return json.dumps({"name": self.name, "description": self.description, "parameters": self.parameters})


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
    purpose: Literal["step", "summary", "warm"] = "step"
    """``warm``: only to have the prompt in the server's cache; the reply is of no use."""
    model: str | None = None
    temperature: float | None = None
    tool_choice: Literal["auto", "none", "required"] = "auto"
    """What the reply may do with the tools. They stand in the prompt in any case: leaving them out would change its prefix."""
    only_tool: str | None = None
    """The one tool that may be called where a call is ``required``; None: any."""
    parallel_calls: bool | None = None
    """Whether a reply may call several tools; None: the server's default."""
    response_format: dict[str, Any] | None = None
    """The form that the reply's text must have, as OpenAI's wire says it; None: any text."""
    affinity: str = ""
    """Prompts with the same affinity share a prefix, so that they belong on the same replica; a conversation's id."""
    background: bool = False
    """Nobody waits for the reply: it goes behind the calls that somebody waits for."""
    cache_salt: str = ""
    """Prompts with different salts share no cache, so that no tenant can learn from timings what another one sent."""


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
    served_by: str = ""
    """What ``Reasoner.home`` names: the server that answered, and which life of it."""


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
    """The reasoner began to write its call ``index``, of the tool ``name``."""

    name: str
    index: int = 0
    call_id: str = ""


@dataclass(frozen=True)
class ArgumentsPiece:
    """A piece of the arguments of call ``index``."""

    text: str
    index: int = 0


Piece = TextPiece | ReasoningPiece | CallPiece | ArgumentsPiece | Completion
"""What a reasoner streams: pieces as they come, and last, exactly once, the whole ``Completion``."""


@dataclass(frozen=True)
class Chain:
    """A prompt's digests, one up to each message and with it, in a form that those of a longer prompt go on from."""

    tools: tuple[ToolSchema, ...]
    messages: tuple[PromptMessage, ...]
    digests: tuple[str, ...]
    running: Any
    """The digest of all of it, which can be copied and updated."""


class TokenCounter(Protocol):
    """Counts tokens as the reasoner would."""

    async def count(self, text: str) -> int:
        """The tokens of ``text`` alone, without any chat template around it."""
        ...

    async def frame(self, system: PromptMessage, tools: Sequence[ToolSchema]) -> int:
        """The tokens of a prompt that holds this system message and these tools, up to where a reply would begin."""
        ...

    async def added(self, messages: Sequence[PromptMessage]) -> int:
        """The tokens that these messages add to a prompt they are appended to, with what the chat template puts around them.

        They are appended together, as one step does it: a user's message, or a reply with all returns of its calls.
        """
        ...

    @property
    def exact(self) -> bool:
        """Whether counts come from the model's own tokenizer rather than from an estimate."""
        ...
