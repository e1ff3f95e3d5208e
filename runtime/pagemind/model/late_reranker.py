"""The reranker that needs no further model: the embedder's own checkpoint, its tokens compared with the query's one by one."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import Protocol, cast

from pagemind.errors import RerankerError, RerankerLoading, RerankerUnreadable
from pagemind.model.batch_work import Batches
from pagemind.model.late import Side, TokenVectors, late_scores
from pagemind.model.reranker import CPU_DEADLINE_SECONDS, DEADLINE_SECONDS, LATE, waiting_seconds
from pagemind.model.thread import ModelThread
from pagemind.model.token_cache import TokenCache, key_of
from pagemind.settings import Settings

AT_ONCE = 16
"""So many texts are asked for at a time: all of them are tokenized first, which takes long of long ones."""
WEIGHT = 3.0
"""Of its score beside the search's own: 2 to 5 find the same but for chance (docs/reranker.md)."""


class TokenEncoder(Batches[Side, TokenVectors], Protocol):
    """What the reranker needs of the module that imports torch."""

    @property
    def on_cpu(self) -> bool:
        """Whether it computes on the CPU."""
        ...


class LateReranker:
    """Late interaction (`pagemind.model.late`) by the configured embedder's checkpoint, loaded once more for itself.

    An embedder's pass gives one vector a text, and its batches go in its own order: sharing its weights would tie both, to save
    90 MB.
    """

    weight = WEIGHT

    def __init__(self, settings: Settings) -> None:
        if settings.embedder.startswith("openai:"):
            raise RerankerUnreadable(name=settings.embedder, reason="it is served elsewhere, and gives no vectors of tokens")
        self.name = f"{LATE} ({settings.embedder})"
        self._settings = settings
        self._cache = TokenCache(settings.reranker_cache_bytes)
        self._thread = ModelThread[Side, TokenVectors, TokenEncoder](
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
        """Return when the model is loaded and has read a text. Raises ``RerankerError``."""
        await self._thread.compute([("query", "ready")], "query")

    async def score(self, query: str, texts: Sequence[str], *, deadline_seconds: float) -> list[float] | None:
        """A score from -1 to 1 for each text; None after ``deadline_seconds``. What was read by then is known the next time."""
        if not texts:
            return []
        self.warm()
        if self._thread.loading:
            raise RerankerLoading()
        try:
            async with asyncio.timeout(deadline_seconds):
                [asked, *read] = await self._read([("query", query), *(("document", text) for text in texts)])
                return await asyncio.to_thread(late_scores, asked, read)
        except TimeoutError:
            return None

    async def close(self) -> None:
        """Stop the thread after the batch it is at; callers still waiting get a ``RerankerError``."""
        await self._thread.close()

    async def _read(self, sides: Sequence[Side]) -> list[TokenVectors]:
        """The token vectors of each, computed where they are not kept."""
        found = {side: kept for side in sides if (kept := self._cache.get(key_of(side))) is not None}
        # Those of like length share a batch, and the short ones are there first.
        lacking = sorted((side for side in dict.fromkeys(sides) if side not in found), key=lambda side: len(side[1]))
        for begin in range(0, len(lacking), AT_ONCE):
            some = lacking[begin : begin + AT_ONCE]
            # As queries, which wait for no others: somebody waits for these, too.
            found.update(zip(some, await self._thread.compute(some, "query", heard=self._keep), strict=True))
        return [found[side] for side in sides]

    def _keep(self, side: Side, vectors: TokenVectors) -> None:
        self._cache.put(key_of(side), vectors)

    def _load(self) -> TokenEncoder:
        # torch and transformers take a second or two: they are imported here, in this thread, so that nothing waits for them.
        module = importlib.import_module("pagemind.model.token_encoder")
        settings = self._settings
        device = settings.reranker_device or settings.embedder_device
        return cast("TokenEncoder", module.load(settings.embedder, device, settings.reranker_pair_tokens))
