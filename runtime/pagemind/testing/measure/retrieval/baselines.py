"""Simple rankings of the same rows, in plain Python: what a search has to be better than.

Each row is a turn as ``speaker: text [image: caption]``, without dates, neighbours or the runtime's own search.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

K1 = 1.2
B = 0.75
RRF_K = 60
WORD = re.compile(r"\w+")
NAMES = ("vectors only", "BM25 only", "RRF", "score sum")
Numbers = NDArray[np.float64]


class Words:
    """BM25 (Robertson and Zaragoza 2009) over texts, without stemming or stop words."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(words(text)) for text in texts]
        lengths = np.array([sum(each.values()) for each in counts], dtype=np.float64)
        self._norm = K1 * (1 - B + B * lengths / max(lengths.mean(), 1.0))
        self._times: dict[str, Numbers] = {}
        for place, each in enumerate(counts):
            for word, times in each.items():
                self._times.setdefault(word, np.zeros(len(texts)))[place] = times

    def scores(self, query: str) -> Numbers:
        """The score of each text."""
        total = np.zeros(len(self._norm))
        for word in set(words(query)):
            times = self._times.get(word)
            if times is not None:
                found = np.count_nonzero(times)
                rarity = math.log(1 + (len(times) - found + 0.5) / (found + 0.5))
                total += rarity * times * (K1 + 1) / (times + self._norm)
        return total


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return WORD.findall(text.lower())


def rankings(by_words: Numbers, cosines: Numbers, depth: int) -> Mapping[str, list[int]]:
    """The places of the first ``depth`` rows by each of ``NAMES``."""
    scores = (cosines, by_words, reciprocal_ranks(by_words, cosines), score_sum(by_words, cosines))
    return {name: best(score, depth) for name, score in zip(NAMES, scores, strict=True)}


def reciprocal_ranks(by_words: Numbers, cosines: Numbers) -> Numbers:
    """Reciprocal rank fusion (Cormack et al. 2009): the sum of 1 / (60 + place); a row without words has one place."""
    return 1 / (RRF_K + places(cosines)) + np.where(by_words > 0, 1 / (RRF_K + places(by_words)), 0.0)


def score_sum(by_words: Numbers, cosines: Numbers) -> Numbers:
    """The sum of both scores, each divided by its maximum."""
    return cosines / max(float(cosines.max()), 1e-9) + by_words / max(float(by_words.max()), 1e-9)


def places(scores: Numbers) -> Numbers:
    """The place of each row by its score, from 1."""
    order = np.argsort(-scores, kind="stable")
    found = np.empty(len(scores))
    found[order] = np.arange(1, len(scores) + 1)
    return found


def best(scores: Numbers, depth: int) -> list[int]:
    """The first rows by score."""
    return [int(place) for place in np.argsort(-scores, kind="stable")[:depth]]
