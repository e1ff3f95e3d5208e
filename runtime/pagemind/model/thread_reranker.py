"""What rerankers have in common whose torch model has a thread of its own: how long they may take, when they load."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence, Sized
from typing import Generic, Protocol, TypeVar

from pagemind.errors import RerankerError, RerankerLoading
from pagemind.model.batch_queue import Given, Made
from pagemind.model.batch_work import Batches
from pagemind.model.reranker import CPU_DEADLINE_SECONDS, DEADLINE_SECONDS, waiting_seconds
from pagemind.model.thread import ModelThread
from pagemind.settings import Settings

Reads = TypeVar("Reads", bound=Sized, contravariant=True)
Gives = TypeVar("Gives", covariant=True)


class RerankerModel(Batches[Reads, Gives], Protocol[Reads, Gives]):
    """What a reranker needs of the module that imports torch."""

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on the CPU."""
        ...


class ThreadReranker(ABC, Generic[Given, Made]):
    """``_load`` makes the model, in the thread; ``_scored`` asks it."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        self._settings = settings
        self._thread = ModelThread[Given, Made, RerankerModel[Given, Made]](
            "pagemind-reranker", self._load, settings.reranker_batch_tokens, RerankerError
        )

    @property
    def deadline_seconds(self) -> float:
        """What is configured; else more on a CPU than on a GPU."""
        slow = self._thread.model is None or self._thread.model.on_cpu
        return waiting_seconds(self._settings, CPU_DEADLINE_SECONDS if slow else DEADLINE_SECONDS)

    def warm(self) -> None:
        """Start the thread, which loads the model; returns at once."""
        self._thread.warm()

    @abstractmethod
    async def ready(self) -> None:
        """Return when the model is loaded and has read something. Raises ``RerankerError``."""

    async def score(self, query: str, texts: Sequence[str], *, deadline_seconds: float) -> list[float] | None:
        """A score for each text; None after ``deadline_seconds``, when what was not begun is dropped."""
        if not texts:
            return []
        self.warm()
        if self._thread.loading:
            raise RerankerLoading()
        try:
            async with asyncio.timeout(deadline_seconds):
                return await self._scored(query, texts)
        except TimeoutError:
            return None

    async def close(self) -> None:
        """Stop the thread after the batch it is at; callers still waiting get a ``RerankerError``."""
        await self._thread.close()

    @abstractmethod
    async def _scored(self, query: str, texts: Sequence[str]) -> list[float]:
        """The scores, however long they take."""

    @abstractmethod
    def _load(self) -> RerankerModel[Given, Made]:
        """The model. torch and transformers take a second or two: they are imported here, so that nothing waits for them."""
