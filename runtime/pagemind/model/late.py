"""Late interaction: how well a text answers a query, told from the vectors of their tokens. Nothing here imports torch.

MaxSim is due to Khattab and Zaharia, "ColBERT" (2020): each token of the query counts with the greatest cosine that it has
with any token of the text. Here the query's tokens weigh by how rare they are (Robertson's idf), and the sum is divided by that
of the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pagemind.model.embedder import Kind

Side = tuple[Kind, str]
"""A text, and what it is read as."""
STEPS = 127
"""Of an int8, either way."""


@dataclass(frozen=True)
class TokenVectors:
    """A text's tokens, special ones left out: their ids, and a unit vector for each, ``steps * scales`` row by row."""

    ids: NDArray[np.int32]
    steps: NDArray[np.int8]
    """Tokens x dimensions."""
    scales: NDArray[np.float32]
    """One for each token."""

    @property
    def size_bytes(self) -> int:
        """What the arrays hold."""
        return self.ids.nbytes + self.steps.nbytes + self.scales.nbytes

    @property
    def floats(self) -> NDArray[np.float32]:
        """The unit vectors, tokens x dimensions."""
        return self.steps.astype(np.float32) * self.scales[:, None]


def coarse(ids: NDArray[np.int32], vectors: NDArray[np.float32]) -> TokenVectors:
    """The tokens and their unit vectors, each vector in steps of a 127th of its greatest number."""
    scales = (np.abs(vectors).max(axis=1, initial=0.0) / STEPS).clip(min=np.finfo(np.float32).tiny).astype(np.float32)
    return TokenVectors(ids, np.rint(vectors / scales[:, None]).astype(np.int8), scales)


def late_scores(query: TokenVectors, texts: Sequence[TokenVectors]) -> list[float]:
    """A score from -1 to 1 for each text, by all that are given together: a token's rarity is that among them.

    0 for a text without tokens, and for all of them where the query has none.
    """
    if not len(query.ids):
        return [0.0] * len(texts)
    weights = rarity(query.ids, texts)
    weights /= weights.sum()
    vectors = query.floats
    return [float(np.clip(weights @ greatest(vectors, text), -1.0, 1.0)) for text in texts]


def greatest(vectors: NDArray[np.float32], text: TokenVectors) -> NDArray[np.float32]:
    """The greatest cosine of each of the vectors with any token of the text; 0 where that has none."""
    if not len(text.ids):
        return np.zeros(len(vectors), dtype=np.float32)
    return (vectors @ text.floats.T).max(axis=1)


def rarity(ids: NDArray[np.int32], texts: Sequence[TokenVectors]) -> NDArray[np.float64]:
    """``log(1 + (n - df + 0.5) / (df + 0.5))`` of each token, where ``df`` of the ``n`` texts have it; always above 0."""
    having = np.zeros(len(ids))
    for text in texts:
        having += np.isin(ids, text.ids)
    return np.log1p((len(texts) - having + 0.5) / (having + 0.5))
