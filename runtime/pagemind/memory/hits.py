"""Hits: which blocks a reply drew on. Pure.

There is no way to ask a model what it looked at, so this is a measure from outside: a block was used if the reply, or the
arguments of its calls, holds a distinctive word of it (four letters or more, or a number) that neither the system text nor what
was said since the last reply offered. It misses what is paraphrased, and counts what a model knew by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pagemind.records import Block, Completion

WORD = re.compile(r"[^\W_]{4,}|\d+")


def blocks_used(blocks: Sequence[Block], offered: Iterable[str], reply: Completion) -> list[str]:
    """The labels of the blocks that the reply drew on, in the blocks' order. ``offered`` is what else it could draw from."""
    said = words([reply.text, *(call.arguments for call in reply.calls)])
    fresh = said - words(offered)
    return [block.label for block in blocks if fresh & words([block.value])]


def words(texts: Iterable[str]) -> set[str]:
    """The distinctive words of the texts, in small letters."""
    return {word.casefold() for text in texts for word in WORD.findall(text)}
