"""A stand-in embedder for trials that are about durability, not meaning: instant, and the same text gives the same vector."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from pagemind.model.embedder import Kind


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
