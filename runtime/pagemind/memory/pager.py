"""The pager: what leaves the window, and when. Pure: counts in, a plan out.

Eviction goes from a high watermark down to a low one in one big stride, so that the prompt's prefix stands still in between
(DESIGN.md, *Paging*). It moves whole exchanges (an input and everything up to the reply: one run, or several where calls waited
for an answer), oldest first; the newest exchange, and with it every open tool call, always stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pagemind.records import Message, Role


@dataclass(frozen=True)
class Budget:
    """The window in tokens, and the watermarks as shares of it."""

    window_tokens: int
    reserve_tokens: int
    """Kept free for the reply."""
    high_watermark: float = 0.9
    low_watermark: float = 0.4
    early_watermark: float | None = None
    """Between runs; None: four fifths of the way from the low to the high one."""
    summary_tokens: int = 600
    """What the summary of the next epoch may take."""

    @property
    def capacity(self) -> int:
        """The longest prompt that leaves room for a reply."""
        return self.window_tokens - self.reserve_tokens

    @property
    def high(self) -> int:
        """A prompt longer than this calls for an eviction."""
        return min(int(self.window_tokens * self.high_watermark), self.capacity)

    @property
    def early(self) -> int:
        """A prompt longer than this calls for an eviction while no run goes on, so that none has to wait for it later."""
        if self.early_watermark is None:
            return self.low + (self.high - self.low) * 4 // 5
        return min(int(self.window_tokens * self.early_watermark), self.high)

    @property
    def cold(self) -> int:
        """A prompt longer than this is worth an eviction when no cache holds it: what is paged out need not be computed."""
        return (self.low + self.high) // 2

    @property
    def low(self) -> int:
        """An eviction brings the prompt down to this."""
        return min(int(self.window_tokens * self.low_watermark), self.capacity)


@dataclass(frozen=True)
class Eviction:
    """A plan: the messages to page out, and the first ``seq`` that stays."""

    messages: tuple[Message, ...]
    resident_from: int
    tokens: int

    @property
    def first_seq(self) -> int:
        """The oldest message that goes."""
        return self.messages[0].seq or 0

    @property
    def last_seq(self) -> int:
        """The newest message that goes."""
        return self.messages[-1].seq or 0


def exchanges(messages: Sequence[Message]) -> list[tuple[Message, ...]]:
    """The messages by exchange, in order.

    A run that begins with the returns of calls goes on with the exchange of those; what was there before any run (imported,
    forked) has an exchange from each input to the next.
    """
    found: list[list[Message]] = []
    before: Message | None = None
    for message in messages:
        if before is None or _begins(before, message):
            found.append([])
        found[-1].append(message)
        before = message
    return [tuple(exchange) for exchange in found]


def _begins(before: Message, message: Message) -> bool:
    """Whether an exchange begins with the message."""
    if message.role == Role.tool:
        return False
    if message.run_id is None and before.run_id is None:
        return message.role == Role.user and before.role != Role.user
    return message.run_id != before.run_id


def plan_eviction(
    resident: Sequence[Message], fixed_tokens: int, summary_tokens: int, budget: Budget, above: int
) -> Eviction | None:
    """Pick the oldest whole exchanges to page out; the newest always stays.

    ``resident`` are the messages in the window by ``seq``, ``summary_tokens`` is the summary that a new one will replace, and
    ``fixed_tokens`` everything else that the next prompt will hold (system, tools, blocks). None while the prompt has at most
    ``above`` tokens, or when what may go takes less than the new summary may add.
    """
    used = fixed_tokens + summary_tokens + sum(message.tokens for message in resident)
    if used <= above:
        return None
    *old, _newest = exchanges(resident) or [()]
    more = max(0, budget.summary_tokens - summary_tokens)
    left = used + more
    going: list[Message] = []
    for exchange in old:
        if going and left <= budget.low:
            break
        going.extend(exchange)
        left -= sum(message.tokens for message in exchange)
    freed = sum(message.tokens for message in going)
    if freed <= more:
        return None
    return Eviction(tuple(going), (going[-1].seq or 0) + 1, freed)
