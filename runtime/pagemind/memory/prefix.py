"""The prefix: how much of a prompt is the prompt before, word for word. Pure.

A prefix cache serves what two prompts have in common from their beginning. Of the last prompt only digests are kept, one at
each place where the next may part from it: after the frame (system text and tools), the snapshot, the summary, the history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from pagemind.records import Json, Prompt, PromptMessage
from pagemind.records.prompt import Chain

DIGEST_BYTES = 16


class Verdict(StrEnum):
    """How a prompt began, beside the one of the step before."""

    first = "first"
    """There was none before."""
    kept = "kept"
    """With all of it: the invariant of an epoch."""
    rolled = "rolled"
    """With a part of it: a new epoch had begun."""
    broken = "broken"
    """With a part of it, in the same epoch: this must not be."""


@dataclass(frozen=True)
class Mark:
    """The prompt up to and with its first ``messages`` messages: its length in tokens, and what it was."""

    messages: int
    tokens: int
    digest: str


@dataclass(frozen=True)
class Ledger:
    """The marks of one prompt, shortest first, and the epoch it belonged to."""

    epoch: int
    marks: tuple[Mark, ...]

    def as_json(self) -> Json:
        """As ``Conversation.prefix`` keeps it."""
        marks = [{"messages": mark.messages, "tokens": mark.tokens, "digest": mark.digest} for mark in self.marks]
        return {"epoch": self.epoch, "marks": marks}

    @classmethod
    def from_json(cls, data: Json | None) -> Ledger | None:
        """What `as_json` wrote; None for None."""
        return cls(data["epoch"], tuple(Mark(**mark) for mark in data["marks"])) if data else None


@dataclass(frozen=True)
class Common:
    """What a prompt has in common with the one before."""

    verdict: Verdict
    tokens: int


def ledger_of(prompt: Prompt, chain: Sequence[str], epoch: int, head: Sequence[int]) -> Ledger:
    """The ledger of a prompt. ``head`` has the tokens of its parts before the history: frame, then each message of its own."""
    lengths = [*accumulate(head)]
    places = [*range(1, len(lengths) + 1), len(prompt.messages)]
    tokens = [*lengths, prompt.segments.used]
    return Ledger(epoch, tuple(map(Mark, places, tokens, (chain[place - 1] for place in places))))


def common(before: Ledger | None, chain: Sequence[str], epoch: int) -> Common:
    """How the prompt of this ``chain`` begins, beside the one before it."""
    if before is None:
        return Common(Verdict.first, 0)
    same = [mark for mark in before.marks if mark.messages <= len(chain) and chain[mark.messages - 1] == mark.digest]
    if same and same[-1] is before.marks[-1]:
        return Common(Verdict.kept, same[-1].tokens)
    verdict = Verdict.broken if before.epoch == epoch else Verdict.rolled
    return Common(verdict, same[-1].tokens if same else 0)


def same_frame(before: Ledger, chain: Sequence[str]) -> bool:
    """Whether system text and tools are those of the prompt before."""
    return chain[0] == before.marks[0].digest


def chain_of(prompt: Prompt) -> Sequence[str]:
    """The digest of the tools and the messages up to each message, that one included."""
    return linked(prompt).digests


def linked(prompt: Prompt, before: Chain | None = None) -> Chain:
    """The prompt's digests. Where it begins with the prompt of ``before``, only what is new is read."""
    if before is not None and before.tools == prompt.tools and prompt.messages[: len(before.messages)] == before.messages:
        running, digests = before.running.copy(), list(before.digests)
    else:
        running = hashlib.blake2b("\n".join(tool.text for tool in prompt.tools).encode(), digest_size=DIGEST_BYTES)
        digests = list[str]()
    for message in prompt.messages[len(digests) :]:
        running.update(encoded(message))
        digests.append(running.hexdigest())
    return Chain(prompt.tools, prompt.messages, tuple(digests), running)


def encoded(message: PromptMessage) -> bytes:
    """The message as bytes that no other message has: each part behind its length."""
    parts = [message.role, message.content, message.reasoning, message.call_id or "", message.name or ""]
    for call in message.calls:
        parts += (call.id, call.name, call.arguments)
    return "".join([f"{len(parts)};", *(f"{len(part)}:{part}" for part in parts)]).encode("utf-8", "surrogatepass")
