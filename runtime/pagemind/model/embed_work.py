"""What the embedder's thread does all day: take a batch, start it, hand out what is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from pagemind.errors import EmbedderError
from pagemind.model.embed_queue import QUERIES_IN_A_ROW, EmbedQueue, Item
from pagemind.model.embedder import Kind
from pagemind.model.graphs import Vectors

FAILURES = (RuntimeError, ValueError)


class Encoder(Protocol):
    """What the embedder's thread needs of the module that imports torch."""

    @property
    def dimensions(self) -> int:
        """The length of its vectors."""
        ...

    @property
    def dtype(self) -> str:
        """``bfloat16`` or ``float32``, and on which device."""
        ...

    @property
    def most_batch_tokens(self) -> int:
        """The largest batch that still gains speed on its device."""
        ...

    @property
    def batches_ahead(self) -> int:
        """How many started batches may wait for their hand-out: 0 where the thread itself computes."""
        ...

    def tokenize(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        """Token ids of each text, its prompt prefixed, cut to the model's length."""
        ...

    def start(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """Begin with a batch; what comes back waits for it and gives a unit vector for each row of token ids."""
        ...


class Started:
    """A batch that the device works on."""

    def __init__(self, items: Sequence[Item], encoder: Encoder) -> None:
        self._items = items
        self._vectors: Vectors | None = None
        try:
            self._vectors = encoder.start([item.ids for item in items])
        except FAILURES as error:
            self._fail(error)

    def hand_out(self) -> None:
        """Wait for the vectors and give them, or the failure, to those whose texts were in the batch."""
        if self._vectors is None:
            return
        try:
            vectors = self._vectors()
        except FAILURES as error:
            self._fail(error)
            return
        for item, vector in zip(self._items, vectors, strict=True):
            item.give(vector)

    def _fail(self, error: Exception) -> None:
        for item in self._items:
            item.fail(EmbedderError(str(error)[:500]))


def work(queue: EmbedQueue, encoder: Encoder) -> None:
    """Until the queue is closed. While the device is at one batch of documents the next is tokenized and started.

    A query is handed out at once, ahead of the documents that were started before it; these are waited for after
    ``QUERIES_IN_A_ROW`` of them.
    """
    flying: deque[Started] = deque()
    queries = 0
    try:
        while True:
            batch = queue.take(encoder.tokenize, encoder.most_batch_tokens, wait=not flying)
            if batch and batch[0].kind == "query":
                Started(batch, encoder).hand_out()
                queries += 1
                if flying and queries >= QUERIES_IN_A_ROW:
                    flying.popleft().hand_out()
                    queries = 0
                continue
            if batch:
                flying.append(Started(batch, encoder))
            elif not flying:
                return
            while flying and (not batch or len(flying) > encoder.batches_ahead):
                flying.popleft().hand_out()
    finally:
        # Reached with batches left only where this thread fails: nobody may wait for them for ever.
        for started in flying:
            started.hand_out()
