"""The local reranker: torch in a thread of its own, pairs micro-batched by length, what is late dropped between batches."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import Protocol, cast

from pagemind.errors import RerankerError, RerankerLoading
from pagemind.model.batch_work import Batches
from pagemind.model.reranker import CPU_DEADLINE_SECONDS, DEADLINE_SECONDS, Pair, waiting_seconds
from pagemind.model.thread import ModelThread
from pagemind.settings import Settings


class Scorer(Batches[Pair, list[float]], Protocol):
    """What the reranker needs of the module that imports torch."""

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on the CPU."""
        ...


class TorchReranker:
    """A cross-encoder or a Qwen3-Reranker, by folder or Hugging Face name."""

    weight = None

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        self._settings = settings
        self._thread = ModelThread[Pair, list[float], Scorer](
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

    async def ready(self) -> None:
        """Return when the model is loaded and has scored a pair. Raises ``RerankerError``."""
        await self._thread.compute([("", "")], "query")

    async def score(self, query: str, texts: Sequence[str], *, deadline_seconds: float) -> list[float] | None:
        """A score from 0 to 1 for each text; None after ``deadline_seconds``, when the pairs left are dropped."""
        if not texts:
            return []
        self.warm()
        if self._thread.loading:
            raise RerankerLoading()
        try:
            async with asyncio.timeout(deadline_seconds):
                # As queries, which wait for no others: somebody waits for these, too.
                rows = await self._thread.compute([(query, text) for text in texts], "query")
        except TimeoutError:
            return None
        return [row[0] for row in rows]

    async def close(self) -> None:
        """Stop the thread after the batch it is at; callers still waiting get a ``RerankerError``."""
        await self._thread.close()

    def _load(self) -> Scorer:
        # torch and transformers take a second or two: they are imported here, in this thread, so that nothing waits for them.
        module = importlib.import_module("pagemind.model.scorers")
        settings = self._settings
        return cast("Scorer", module.load(self.name, settings.reranker_device, settings.reranker_pair_tokens))
