"""How alike two rankings of the same texts are, and how sure a mean over queries is. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

BEST = 10
ROUNDS = 2000
SHARE = 0.95
SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s|\n")
SENTENCE_LIMIT_CHARS = 300


@dataclass(frozen=True)
class Mean:
    """A mean and the interval that holds it with 95 %."""

    value: float
    low: float
    high: float


def overlap(one: Sequence[UUID], other: Sequence[UUID], best: int = BEST) -> float:
    """The share of the first ``best`` that both rankings have, in any order; of the longer one where both are shorter.

    1 where both are empty.
    """
    first, second = set(one[:best]), set(other[:best])
    return len(first & second) / max(len(first), len(second)) if first or second else 1.0


def mean_of(values: Sequence[float], *, rounds: int = ROUNDS, seed: int = 0) -> Mean:
    """The mean and its percentile bootstrap interval (Efron 1979): the means of as many draws with replacement, sorted.

    ``values`` has at least one. The same values give the same interval.
    """
    draw = random.Random(seed)  # noqa: S311 - statistics
    count = len(values)
    means = sorted(sum(draw.choices(values, k=count)) / count for _ in range(rounds))
    cut = round(rounds * (1 - SHARE) / 2)
    return Mean(sum(values) / count, means[cut], means[-1 - cut])


def first_sentence(text: str) -> str:
    """The text up to its first full stop or line end, as a query of a few words."""
    return SENTENCE_END.split(text.strip(), maxsplit=1)[0][:SENTENCE_LIMIT_CHARS].strip()
