"""What a model's thread does all day: take a batch, start it, hand out what is done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence, Sized
from typing import Generic, Protocol, TypeVar

from pagemind.model.batch_queue import QUERIES_IN_A_ROW, BatchQueue, Given, Item, Made
from pagemind.model.embedder import Kind

FAILURES = (RuntimeError, ValueError)


Tokenized = TypeVar("Tokenized", bound=Sized, contravariant=True)
Gives = TypeVar("Gives", covariant=True)


class Batches(Protocol[Tokenized, Gives]):
    """What a model's thread needs of the module that imports torch."""

    @property
    def most_batch_tokens(self) -> int:
        """The largest batch that still gains speed on its device."""
        ...

    @property
    def batches_ahead(self) -> int:
        """How many started batches may wait for their hand-out: 0 where the thread itself computes."""
        ...

    def tokenize(self, texts: Sequence[Tokenized], kind: Kind, /) -> list[list[int]]:
        """Token ids of each text, or pair, with all that the model wants around it, cut to the model's length."""
        ...

    def start(self, batch: Sequence[Sequence[int]]) -> Callable[[], Sequence[Gives]]:
        """Begin with a batch; what comes back waits for it and gives a vector, or what it makes, for each row of token ids."""
        ...


class Started(Generic[Given, Made]):
    """A batch that the device works on."""

    def __init__(self, items: Sequence[Item[Given, Made]], model: Batches[Given, Made], queue: BatchQueue[Given, Made]) -> None:
        self._items = items
        self._failure = queue.failure
        self._vectors: Callable[[], Sequence[Made]] | None = None
        try:
            self._vectors = model.start([item.ids for item in items])
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
            item.fail(self._failure(str(error)[:500]))


def work(queue: BatchQueue[Given, Made], model: Batches[Given, Made]) -> None:
    """Until the queue is closed. While the device is at one batch of documents the next is tokenized and started.

    A query is handed out at once, ahead of the documents that were started before it; these are waited for after
    ``QUERIES_IN_A_ROW`` of them.
    """
    flying: deque[Started[Given, Made]] = deque()
    queries = 0
    try:
        while True:
            batch = queue.take(model.tokenize, model.most_batch_tokens, wait=not flying)
            if batch and batch[0].kind == "query":
                Started(batch, model, queue).hand_out()
                queries += 1
                if flying and queries >= QUERIES_IN_A_ROW:
                    flying.popleft().hand_out()
                    queries = 0
                continue
            if batch:
                flying.append(Started(batch, model, queue))
            elif not flying:
                return
            while flying and (not batch or len(flying) > model.batches_ahead):
                flying.popleft().hand_out()
    finally:
        # Reached with batches left only where this thread fails: nobody may wait for them for ever.
        for started in flying:
            started.hand_out()
