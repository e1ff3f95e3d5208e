"""A torch model in a thread of its own: loaded there, fed by a queue, its callers micro-batched. Nothing here imports torch."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from pagemind.errors import PagemindError
from pagemind.model.batch_queue import BatchQueue, Given, Item, Made
from pagemind.model.batch_work import Batches, work
from pagemind.model.embedder import Kind

JOIN_SECONDS = 10.0

Model = TypeVar("Model", bound=Batches[Any, Any])


class ModelThread(Generic[Given, Made, Model]):
    """``load`` makes the model, in the thread; what goes wrong with it reaches callers as ``failure``."""

    def __init__(self, name: str, load: Callable[[], Model], batch_tokens: int, failure: type[PagemindError]) -> None:
        self.model: Model | None = None
        self._name = name
        self._load = load
        self._failure = failure
        self._queue = BatchQueue[Given, Made](batch_tokens, failure)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._ended = False

    @property
    def loading(self) -> bool:
        """Whether it has neither loaded nor failed so far."""
        return self.model is None and not self._ended

    def warm(self) -> None:
        """Start the thread, which loads the model; returns at once."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()

    async def compute(
        self, given: Sequence[Given], kind: Kind, *, heard: Callable[[Given, Made], None] | None = None
    ) -> list[Made]:
        """What the model makes of each. What a cancelled caller gave is dropped from the queue before the next batch.

        ``heard`` gets each as it comes, in the caller's loop, also what was begun before the caller was cancelled.
        """
        self.warm()
        loop = asyncio.get_running_loop()
        items: list[Item[Given, Made]] = [Item(each, kind, loop.create_future(), loop, heard=heard) for each in given]
        self._queue.put(items)
        try:
            return await asyncio.gather(*(item.future for item in items))
        finally:
            for item in items:
                item.future.cancel()

    async def close(self) -> None:
        """Stop the thread after the batch it is at; callers still waiting get a ``failure``.

        A thread that is still loading is left to itself: it ends as soon as it has loaded, and a process that leaves need
        not wait seconds for a model that nobody is going to use.
        """
        self._queue.close(self._failure("it was closed"))
        if self._thread and self.model:
            await asyncio.to_thread(self._thread.join, JOIN_SECONDS)

    def _work(self) -> None:
        # Read when torch is loaded. Its threads wait for each other by spinning, by default for tens of milliseconds: where
        # another process wants the core, most of the time goes into that. So short a wait costs a tenth on a quiet machine.
        os.environ.setdefault("GOMP_SPINCOUNT", "30000")
        try:
            self.model = self._load()
            work(self._queue, self.model)
        except self._failure as error:
            self._end(error)
        finally:
            # Whatever ended this thread, nobody may wait for it for ever.
            self._end(self._failure("its thread has ended"))

    def _end(self, error: PagemindError) -> None:
        # In this order: whoever hears of the failure finds that nothing is loading any more.
        self._ended = True
        self._queue.close(error)
