"""The local reranker: torch in a thread of its own, pairs micro-batched by length, what is late dropped between batches."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import cast

from pagemind.model.reranker import Pair
from pagemind.model.thread_reranker import RerankerModel, ThreadReranker


class TorchReranker(ThreadReranker[Pair, list[float]]):
    """A cross-encoder or a Qwen3-Reranker, by folder or Hugging Face name; its scores are from 0 to 1."""

    weight = None

    async def ready(self) -> None:
        """Return when the model is loaded and has scored a pair. Raises ``RerankerError``."""
        await self._thread.compute([("", "")], "query")

    async def _scored(self, query: str, texts: Sequence[str]) -> list[float]:
        # As queries, which wait for no others: somebody waits for these, too.
        rows = await self._thread.compute([(query, text) for text in texts], "query")
        return [row[0] for row in rows]

    def _load(self) -> RerankerModel[Pair, list[float]]:
        module = importlib.import_module("pagemind.model.scorers")
        settings = self._settings
        return cast(
            "RerankerModel[Pair, list[float]]",
            module.load(self.name, settings.reranker_device, settings.reranker_pair_tokens),
        )
