"""Token vectors of texts that were read before: the same messages are candidates again and again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from pagemind.model.late import Side, TokenVectors

Key = bytes

ENTRY_BYTES = 1_000
"""What an entry takes beside its arrays' numbers: three arrays' heads, key and links."""


class TokenCache:
    """At most ``limit_bytes`` of token vectors of one model; what was used longest ago goes first. Used from one thread."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[Key, TokenVectors] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size_bytes(self) -> int:
        """What is taken of the limit."""
        return self._bytes

    def get(self, key: Key) -> TokenVectors | None:
        """What was kept by that key, used just now; None where it is not there."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Key, vectors: TokenVectors) -> None:
        """Keep it, unless it alone is above the limit; what was used longest ago makes room."""
        self._let_go(key)
        if weight(vectors) > self._limit_bytes:
            return
        self._kept[key] = vectors
        self._bytes += weight(vectors)
        while self._bytes > self._limit_bytes:
            self._let_go(next(iter(self._kept)))

    def _let_go(self, key: Key) -> None:
        if gone := self._kept.pop(key, None):
            self._bytes -= weight(gone)


def weight(vectors: TokenVectors) -> int:
    """What it takes of the limit, in bytes."""
    return vectors.size_bytes + ENTRY_BYTES


def key_of(side: Side) -> Key:
    """The key of a text as it is read: a model may want other words before a query than before a document."""
    kind, text = side
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=kind.encode()).digest()
