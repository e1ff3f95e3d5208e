"""Stand-in embedders for trials that are not about meaning: instant, and the same text gives the same vector."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence

from pagemind.model.embedder import Kind

WORD = re.compile(r"\w+")


class HashEmbedder:
    """Unit vectors of eight numbers drawn from the text's hash. They carry no meaning at all."""

    name = "hash-8"
    dimensions = 8

    def warm(self) -> None:
        """Nothing to load."""

    async def ready(self) -> None:
        """It always is."""

    async def embed(self, texts: Sequence[str], *, kind: Kind) -> list[list[float]]:
        """A vector a text."""
        return [self._vector(text) for text in texts]

    async def close(self) -> None:
        """Nothing to stop."""

    def _vector(self, text: str) -> list[float]:
        raw = [byte - 127.5 for byte in hashlib.sha256(text.encode()).digest()[: self.dimensions]]
        length = math.sqrt(sum(value * value for value in raw))
        return [value / length for value in raw]


class WordEmbedder(HashEmbedder):
    """Unit vectors of 128 numbers to which each word adds its own: texts with common words are near each other."""

    name = "words-128"
    dimensions = 128

    def _vector(self, text: str) -> list[float]:
        counts = [0.0] * self.dimensions
        for word in WORD.findall(text.casefold()):
            digest = hashlib.sha256(word.encode()).digest()
            counts[digest[0] % self.dimensions] += 1 if digest[1] % 2 else -1
        length = math.sqrt(sum(value * value for value in counts)) or 1.0
        return [value / length for value in counts]
