"""A million passages without a million embeddings: vectors in clusters around real ones, words as frequent as words are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pagemind.testing.measure.retrieval.archives import Rows, tags_by_chance

SPREAD = 0.6
"""The length of the noise beside a centre of length 1: the cosine of a vector and its centre is about .86."""
WORDS = 20
"""Words of a passage."""
COMMON, RARE = 1.1, 50_000
"""Zipf's exponent, and how many different words there are beside those of the real texts."""


def synthetic_rows(
    count: int, centres: NDArray[np.float16], vocabulary: Sequence[str], seed: int, at_once: int
) -> Iterator[Rows]:
    """So many rows, ``at_once`` at a time: a vector near one of the centres, and words drawn by Zipf's law (1949).

    The n-th most frequent word comes with weight n ** -1.1; the vocabulary comes first, in its order, then made-up words.
    """
    chance = np.random.default_rng(seed)
    words = np.array([*vocabulary, *(f"w{number}" for number in range(RARE))])
    weights = np.arange(1, len(words) + 1) ** -COMMON
    shares = weights / weights.sum()
    for begin in range(0, count, at_once):
        size = min(at_once, count - begin)
        drawn = chance.choice(words, size=(size, WORDS), p=shares)
        texts = [f"{begin + at} {' '.join(row)}" for at, row in enumerate(drawn.tolist())]
        yield Rows(texts, near(centres, size, chance), tags_by_chance(size, seed + begin))


def near(centres: NDArray[np.float16], count: int, chance: np.random.Generator) -> NDArray[np.float16]:
    """Unit vectors around centres drawn by chance."""
    around = centres[chance.integers(len(centres), size=count)].astype(np.float32)
    noise = chance.standard_normal(around.shape, dtype=np.float32) * np.float32(SPREAD / np.sqrt(around.shape[1]))
    moved = around + noise
    return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float16)


def vocabulary_of(texts: Sequence[str]) -> list[str]:
    """The words of real texts, the most frequent first."""
    words, counts = np.unique(np.array(" ".join(texts).lower().split()), return_counts=True)
    return [str(word) for word in words[np.argsort(-counts, kind="stable")]]
