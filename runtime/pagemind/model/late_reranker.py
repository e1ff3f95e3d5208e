"""The reranker that needs no further model: the embedder's own checkpoint, its tokens compared with the query's one by one."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import cast

from pagemind.errors import RerankerUnreadable
from pagemind.model.late import Side, TokenVectors, late_scores
from pagemind.model.reranker import LATE
from pagemind.model.thread_reranker import RerankerModel, ThreadReranker
from pagemind.model.token_cache import TokenCache, key_of
from pagemind.settings import Settings

AT_ONCE = 16
"""So many texts are asked for at a time: all of them are tokenized first, which takes long of long ones."""
WEIGHT = 3.0
"""Of its score beside the search's own: 2 to 5 find the same but for chance (docs/reranker.md)."""


class LateReranker(ThreadReranker[Side, TokenVectors]):
    """Late interaction (`pagemind.model.late`) by the configured embedder's checkpoint, loaded once more for itself; its scores
    are from -1 to 1. What was read by its deadline is known the next time.

    An embedder's pass gives one vector a text, and its batches go in its own order: sharing its weights would tie both, to save
    90 MB.
    """

    weight = WEIGHT

    def __init__(self, settings: Settings) -> None:
        if settings.embedder.startswith("openai:"):
            raise RerankerUnreadable(name=settings.embedder, reason="it is served elsewhere, and gives no vectors of tokens")
        super().__init__(settings, f"{LATE} ({settings.embedder})")
        self._cache = TokenCache(settings.reranker_cache_bytes)

    async def ready(self) -> None:
        """Return when the model is loaded and has read a text. Raises ``RerankerError``."""
        await self._thread.compute([("query", "ready")], "query")

    async def _scored(self, query: str, texts: Sequence[str]) -> list[float]:
        [asked, *read] = await self._read([("query", query), *(("document", text) for text in texts)])
        return await asyncio.to_thread(late_scores, asked, read)

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

    def _load(self) -> RerankerModel[Side, TokenVectors]:
        module = importlib.import_module("pagemind.model.token_encoder")
        settings = self._settings
        device = settings.reranker_device or settings.embedder_device
        return cast("RerankerModel[Side, TokenVectors]", module.load(settings.embedder, device, settings.reranker_pair_tokens))
