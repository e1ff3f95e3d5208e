"""Texts of a given length in tokens, the same in every run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

Count = Callable[[str], Awaitable[int]]
"""The tokens of what a text becomes."""

VOCABULARY = """
the garden notebook window river letter kitchen morning winter harbour ticket teacher doctor market blue green quiet
early late small large warm paper travel plan visit return answer question remember decide open close carry write read
listen music bread coffee table chair lamp street bridge train station island forest meadow sister brother friend
neighbour project budget meeting report deadline weekend holiday birthday dinner recipe tomato basil lemon orange
cinnamon salt and with from about after before between under over near
"""
WORDS = VOCABULARY.split()
TRIES = 8
WORDS_IN_LINE = 10


def seeded(seed: str) -> Random:
    """The same draws in every run."""
    return Random(seed)  # noqa: S311 - texts, no secret


def words(random: Random, count: int) -> str:
    """So many words."""
    return " ".join(random.choices(WORDS, k=count))


def lines(random: Random, count: int, label: str) -> list[str]:
    """So many words as numbered lines, each unlike any other."""
    whole, rest = divmod(count, WORDS_IN_LINE)
    lengths = [WORDS_IN_LINE] * whole + ([rest] if rest else [])
    return [fact(label, number, 0, words(random, length)) for number, length in enumerate(lengths)]


def fact(label: str, number: int, version: int, text: str) -> str:
    """A line of a block."""
    return f"{label} {number}.{version}: {text}"


async def sized(make: Callable[[int], str], tokens: int, count: Count, *, within: int = 2) -> str:
    """The text that ``make`` makes of that many words whose count comes within so many tokens of ``tokens``, or near it."""
    number = max(1, tokens // 2)
    empty = await count(make(0))
    best, best_off = make(0), abs(empty - tokens)
    for _ in range(TRIES):
        text = make(number)
        counted = await count(text)
        if abs(counted - tokens) < best_off:
            best, best_off = text, abs(counted - tokens)
        if best_off <= within or counted <= empty:
            break
        number = max(0, number + round((tokens - counted) * number / (counted - empty)))
    return best
