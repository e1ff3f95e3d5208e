"""The queue of a model's thread: what callers give becomes batches of a bounded number of tokens, queries first."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pagemind.errors import PagemindError
from pagemind.model.embedder import Kind

GATHER_SECONDS = 0.002
"""How long the thread waits for more documents before a batch that is not full; a query never waits."""
QUERIES_IN_A_ROW = 16
"""After so many batches of queries a batch of documents goes, so that these never starve."""
TOKENIZED_AHEAD = 2048
"""Texts tokenized at a time: enough to sort by length, few enough not to hold up a query."""
FULL_TOKENS = 8192
"""A padded batch of so many tokens keeps any device busy: more only of like length. Above what a CPU takes at once."""
LIKE_SHARE = 0.85
BESIDE_QUERIES = 4
"""While queries come, batches of documents are so many times smaller: a query waits for the one that is being computed."""
LEAST_TOKENS = 512
"""But no smaller than this, which a CPU computes in some 15 ms."""
LATELY_SECONDS = 10.0
"""Queries come where one did not longer ago."""

Given = TypeVar("Given", bound=Sized)
"""What is computed about: a text, or a pair of texts."""
Made = TypeVar("Made")
"""What is computed: a vector, or the vectors of a text's tokens."""

Tokenize = Callable[[Sequence[Given], Kind], list[list[int]]]


@dataclass(eq=False)
class Item(Generic[Given, Made]):
    """One text, or pair, on its way, and the caller's future for its vector."""

    text: Given
    kind: Kind
    future: asyncio.Future[Made]
    loop: asyncio.AbstractEventLoop
    ids: list[int] = field(default_factory=list[int])
    heard: Callable[[Given, Made], None] | None = None
    """Gets the text and what was made of it, even if nobody waits for that any more."""

    def give(self, vector: Made) -> None:
        """Hand the vector to the caller, from the model's thread."""
        self._tell(lambda: self._given(vector))

    def fail(self, error: PagemindError) -> None:
        """Hand the failure to the caller, from any thread."""
        self._tell(lambda: None if self.future.done() else self.future.set_exception(error))

    def _given(self, vector: Made) -> None:
        if self.heard:
            self.heard(self.text, vector)
        if not self.future.done():
            self.future.set_result(vector)

    def _tell(self, what: Callable[[], None]) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(what)


class BatchQueue(Generic[Given, Made]):
    """Filled by event loops, emptied by the model's one thread. ``failure`` makes what callers get where a batch fails."""

    def __init__(self, batch_tokens: int, failure: Callable[[str], PagemindError]) -> None:
        self.failure = failure
        self._batch_tokens = batch_tokens
        self._waiting: dict[Kind, deque[Item[Given, Made]]] = {"query": deque(), "document": deque()}
        self._tokenized: dict[Kind, list[Item[Given, Made]]] = {"query": [], "document": []}
        self._changed = threading.Condition()
        self._closed: PagemindError | None = None
        self._queries_in_a_row = 0
        self._asked_at = -math.inf

    def put(self, items: Sequence[Item[Given, Made]]) -> None:
        """Add a caller's texts. After ``close`` they fail with its error."""
        with self._changed:
            if self._closed is None:
                self._waiting[items[0].kind].extend(items)
                self._changed.notify()
                return
        for item in items:
            item.fail(self._closed)

    def close(self, error: PagemindError) -> None:
        """Fail everything that waits, and everything to come, with this error."""
        with self._changed:
            self._closed = self._closed or error
            left = [item for kind in self._waiting for item in (*self._waiting[kind], *self._tokenized[kind])]
            for kind in self._waiting:
                self._waiting[kind].clear()
                self._tokenized[kind].clear()
            self._changed.notify()
        for item in left:
            item.fail(self._closed)

    def take(self, tokenize: Tokenize[Given], most_batch_tokens: int, *, wait: bool = True) -> list[Item[Given, Made]]:
        """The next batch, in order of length: waits for one; empty once closed, or where none is there and ``wait`` is off."""
        kind = self._wait() if wait else self._now()
        if kind is None:
            return []
        fresh = self._fetch(kind)
        for item, ids in zip(fresh, tokenize([item.text for item in fresh], kind) if fresh else [], strict=True):
            item.ids = ids
        with self._changed:
            ready = sorted((item for item in (*self._tokenized[kind], *fresh) if not item.future.cancelled()), key=length)
            batch, self._tokenized[kind] = split(ready, self._budget(kind, most_batch_tokens))
        return batch or self.take(tokenize, most_batch_tokens, wait=wait)

    def _budget(self, kind: Kind, most_batch_tokens: int) -> int:
        """The tokens of the next batch."""
        most = min(self._batch_tokens, most_batch_tokens)
        beside = kind == "document" and time.monotonic() - self._asked_at < LATELY_SECONDS
        return min(most, max(most // BESIDE_QUERIES, LEAST_TOKENS)) if beside else most

    def _now(self) -> Kind | None:
        with self._changed:
            return None if self._closed or not (self._holds("query") or self._holds("document")) else self._turn()

    def _wait(self) -> Kind | None:
        with self._changed:
            while not self._closed and not self._holds("query") and not self._holds("document"):
                self._changed.wait()
            if self._closed:
                return None
            if not self._holds("query") and not self._enough():
                self._changed.wait_for(lambda: self._closed or self._holds("query") or self._enough(), GATHER_SECONDS)
            return None if self._closed else self._turn()

    def _holds(self, kind: Kind) -> bool:
        return bool(self._waiting[kind] or self._tokenized[kind])

    def _enough(self) -> bool:
        """Whether the documents that wait fill a batch, by the rule of thumb of four characters a token."""
        if self._tokenized["document"]:
            return True
        characters = 0
        for item in self._waiting["document"]:
            characters += len(item.text)
            if characters >= 4 * self._batch_tokens:
                return True
        return False

    def _turn(self) -> Kind:
        """Queries first, but a batch of documents after ``QUERIES_IN_A_ROW`` of them."""
        documents_due = self._queries_in_a_row >= QUERIES_IN_A_ROW and self._holds("document")
        kind: Kind = "query" if self._holds("query") and not documents_due else "document"
        self._queries_in_a_row = self._queries_in_a_row + 1 if kind == "query" else 0
        if kind == "query":
            self._asked_at = time.monotonic()
        return kind

    def _fetch(self, kind: Kind) -> list[Item[Given, Made]]:
        """Texts to tokenize; none while tokenized ones are left, so that a short text is not overtaken for ever."""
        with self._changed:
            waiting = self._waiting[kind]
            count = 0 if self._tokenized[kind] else min(TOKENIZED_AHEAD, len(waiting))
            return [waiting.popleft() for _ in range(count)]


def length(item: Item[Any, Any]) -> int:
    """The tokens of an item."""
    return len(item.ids)


def split(ready: list[Item[Given, Made]], batch_tokens: int) -> tuple[list[Item[Given, Made]], list[Item[Given, Made]]]:
    """The longest items that fit the budget together once padded to the longest, at least one; and the rest.

    ``ready`` is in order of length, so that items of like length share a batch and little is padded. Beyond ``FULL_TOKENS``
    a batch takes only rows of at least ``LIKE_SHARE`` of its width.
    """
    if not ready:
        return [], []
    width = max(length(ready[-1]), 1)
    like = len(ready) - bisect_left(ready, LIKE_SHARE * width, key=length)
    count = max(1, min(batch_tokens // width, max(like, FULL_TOKENS // width)))
    return ready[-count:], ready[:-count]
