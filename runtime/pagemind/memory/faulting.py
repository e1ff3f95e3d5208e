"""Faulting: paged-out messages that a search brought back, and which of them should rather stay in view. Pure.

A *page fault* is the access to a page that is not in memory. Here the page is a message that left the window, the access a
search that brings it back among its better hits. An eviction was wrong where the fault comes soon after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pagemind.records import Message, MessageHit

NEEDED_SHARE = 0.9
"""A hit with less than this share of the best hit's score came along by chance.

Measured with ``bench-faults`` (five hits a search, one of them needed): with .5 a search counts as 4.8 faults, with .9 as 1.8,
and what is then kept serves about as many questions (docs/figures.md).
"""


def faults(hits: Sequence[MessageHit]) -> list[MessageHit]:
    """The hits that were paged out and needed."""
    best = max((hit.score for hit in hits), default=0.0)
    return [hit for hit in hits if not hit.resident and hit.score >= NEEDED_SHARE * best]


def worth_keeping(candidates: Sequence[Message], faulted: Mapping[int, int], budget_tokens: int) -> list[Message]:
    """The paged-out messages to keep in view: those that faulted most often within the budget, in their own order.

    ``faulted`` has the number of faults by ``seq``. Once may be chance, so a message has to fault twice; of equal ones the
    newer goes first, as in least recently used. What repeats a search's hits is none of them: they may be kept themselves.
    """
    often = [message for message in candidates if faulted.get(message.seq or 0, 0) >= 2 and not message.recalled]
    chosen: list[Message] = []
    for message in sorted(often, key=lambda message: (faulted[message.seq or 0], message.seq or 0), reverse=True):
        if message.tokens <= budget_tokens:
            chosen.append(message)
            budget_tokens -= message.tokens
    return sorted(chosen, key=lambda message: message.seq or 0)
