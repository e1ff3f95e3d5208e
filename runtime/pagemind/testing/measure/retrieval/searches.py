"""How long a whole search takes: the query's embedding, both signals, the ranking; in archives of several sizes."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pagemind.engine.recall import Search, recall_passages
from pagemind.engine.runtime import Runtime
from pagemind.store.passages import Within
from pagemind.testing.measure.retrieval.nearest import middle_and_high

TARGETS_MS = {1_000: 8.0, 10_000: 10.0, 100_000: 15.0, 1_000_000: 30.0}
"""What the median is to reach, by the passages of the archive."""
WARM_UP = 10


@dataclass(frozen=True)
class Timed:
    """Milliseconds of searches of ten in one archive of so many passages; ``embedding`` is the query's vector alone."""

    name: str
    passages: int
    archives: int
    queries: int
    p50_ms: float
    p95_ms: float
    embedding_p50_ms: float
    hits: float
    """How many a search brought, on average."""

    @property
    def embedding_share(self) -> float:
        """What of the median is the query's embedding."""
        return self.embedding_p50_ms / self.p50_ms


async def timed(
    runtime: Runtime, name: str, archive_ids: Sequence[UUID], passages: int, questions: Sequence[str], seed: int = 0
) -> Timed:
    """Search with each question in one of the archives, drawn by chance; the first searches are not counted."""
    chance = random.Random(seed)  # noqa: S311 - a draw, no secret
    whole: list[float] = []
    embedding: list[float] = []
    hits = 0
    for turn, question in enumerate([*questions[:WARM_UP], *questions]):
        archive_id = chance.choice(archive_ids)
        begun = time.perf_counter()
        found = await recall_passages(runtime.kernel, archive_id, Search(question), within=Within.archive)
        done = time.perf_counter()
        await runtime.kernel.vector(question, "query")
        if turn >= WARM_UP:
            whole.append((done - begun) * 1000)
            embedding.append((time.perf_counter() - done) * 1000)
            hits += len(found)
    p50, p95 = middle_and_high(whole)
    return Timed(name, passages, len(archive_ids), len(questions), p50, p95, middle_and_high(embedding)[0], hits / len(whole))
