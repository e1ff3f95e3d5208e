"""The process's reranker: asked under a deadline, its misses counted and told once."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pagemind.errors import RerankerError, RerankerLoading
from pagemind.model.reranker import Reranker

log = logging.getLogger(__name__)

KEPT = "order kept"


@dataclass
class SecondStage:
    """The process's one reranker, and how often it came in time."""

    reranker: Reranker
    reranked: int = 0
    late: int = 0
    failed: int = 0
    told: set[str] = field(default_factory=set[str])
    """What was logged already."""

    async def ready(self) -> None:
        """Return when the reranker is loaded, or has failed: searches say so by themselves."""
        with suppress(RerankerError):
            await self.reranker.ready()

    async def scored(self, query: str, texts: Sequence[str]) -> tuple[list[float], str]:
        """A score for each text, or none at all; and the note."""
        deadline_seconds = self.reranker.deadline_seconds
        began = time.monotonic()
        try:
            scores = await self.reranker.score(query, texts, deadline_seconds=deadline_seconds)
        except RerankerLoading:
            return [], f"the reranker is still being loaded: {KEPT}"
        except RerankerError as error:
            self.failed += 1
            self._tell(error.cause, error.fix)
            return [], f"{error.cause.rstrip('.')}: {KEPT}"
        if scores is None:
            self.late += 1
            note = f"the reranker took longer than {deadline_seconds * 1000:.0f} ms: {KEPT}"
            self._tell(note, "raise PAGEMIND_RERANKER_DEADLINE_MS, or lower PAGEMIND_RERANKER_TOP")
            return [], note
        self.reranked += 1
        return scores, f"reranked {len(texts)} in {(time.monotonic() - began) * 1000:.0f} ms"

    def _tell(self, what: str, fix: str) -> None:
        """Log it the first time; later ones are counted only. What a server said is left out: it may repeat the texts."""
        if what not in self.told:
            self.told.add(what)
            log.warning("%s (logged once, counted from now on) Fix: %s", what, fix)
