"""How alike two texts are by their words. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping

WORD = re.compile(r"\w+")
LOOKED_AT_CHARS = 4_000

Bag = Mapping[str, int]
"""Words in small letters, and how often each stands in a text."""


def bag_of(text: str) -> Bag:
    """The words of the text's first ``LOOKED_AT_CHARS``."""
    return Counter(WORD.findall(text[:LOOKED_AT_CHARS].casefold()))


def likeness(one: Bag, other: Bag) -> float:
    """The cosine of the two bags, 0 to 1; 1 for the same words equally often."""
    if len(other) < len(one):
        one, other = other, one
    shared = sum(times * other.get(word, 0) for word, times in one.items())
    return shared / (length(one) * length(other)) if shared else 0.0


def length(bag: Bag) -> float:
    """The bag's Euclidean length."""
    return math.sqrt(sum(times * times for times in bag.values()))
