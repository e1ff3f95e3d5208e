"""How many of the nearest passages a search finds that every vector compared would find, under filters of several widths."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, quantiles
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from pagemind.engine.runtime import Runtime
from pagemind.records import Filters
from pagemind.store import passages
from pagemind.store.passages import Within
from pagemind.testing.measure.retrieval.archives import SHARES, Rows, tag_of

NEAREST = 10
POOL = 50
"""How many candidates a search of ten asks each signal for."""
TIE = 1e-4
"""Cosines of halves that differ by less are equal: one that is as near as the tenth is as good as the tenth."""
Told = Callable[[str], None]
TARGET = 0.98


@dataclass(frozen=True)
class Nearest:
    """Under one filter: the share of the ten nearest that was found, and the statement's own milliseconds."""

    passages: int
    share: float
    """Of the archive that the filter leaves."""
    left: int
    queries: int
    recall: float
    p50_ms: float
    p95_ms: float


async def nearest_figures(
    runtime: Runtime, archive_id: UUID, rows: Rows, ids: Sequence[UUID], questions: Sequence[str], told: Told
) -> list[Nearest]:
    """Compare the candidates by meaning with the true ones, which numpy finds among the same vectors."""
    vectors = np.array(await runtime.kernel.embedder.embed(questions, kind="query"), dtype=np.float32)
    place = {passage_id: at for at, passage_id in enumerate(ids)}
    return [await under(runtime, archive_id, rows, place, vectors, share, told) for share in SHARES]


async def under(
    runtime: Runtime,
    archive_id: UUID,
    rows: Rows,
    place: dict[UUID, int],
    queries: NDArray[np.float32],
    share: float,
    told: Told,
) -> Nearest:
    """The figures of one filter."""
    left = np.array([share == 1 or tag_of(share) in tags for tags in rows.tags], dtype=np.bool_)
    told(f"the nearest of {len(rows.texts):,} passages with a filter that leaves {int(left.sum()):,}")
    recalls: list[float] = []
    milliseconds: list[float] = []
    stored = rows.vectors.astype(np.float32)
    filters = Filters(tags=() if share == 1 else (tag_of(share),))
    for query in queries:
        cosines = np.where(left, stored @ query, -1.0)
        begun = time.perf_counter()
        found = await by_meaning(runtime, archive_id, query, filters)
        milliseconds.append((time.perf_counter() - begun) * 1000)
        recalls.append(recall(cosines, [place[passage_id] for passage_id in found], int(left.sum())))
    p50, p95 = middle_and_high(milliseconds)
    return Nearest(len(rows.texts), share, int(left.sum()), len(queries), fmean(recalls), p50, p95)


async def by_meaning(runtime: Runtime, archive_id: UUID, query: NDArray[np.float32], filters: Filters) -> list[UUID]:
    """The nearest passages as a search finds them: the candidates of a query without words."""
    async with runtime.kernel.database.transaction() as session:
        found = await passages.candidates(
            session,
            archive_id,
            within=Within.archive,
            query="",
            vector=query.tolist(),
            model=runtime.kernel.embedder.name,
            filters=filters,
            pool=POOL,
        )
    heard = sorted((hit for hit in found if "vector" in hit.scores), key=lambda hit: -hit.scores["vector"])
    return [hit.id for hit in heard[:NEAREST]]


def recall(cosines: NDArray[np.float32], found: Sequence[int], left: int) -> float:
    """The share of the nearest that was found; 1 where there are none."""
    wanted = min(NEAREST, left)
    if not wanted:
        return 1.0
    least = np.partition(cosines, -wanted)[-wanted] - TIE
    return sum(bool(cosines[at] >= least) for at in found[:wanted]) / wanted


def middle_and_high(values: Sequence[float]) -> tuple[float, float]:
    """The median and the 95th percentile."""
    parts = quantiles(values, n=20, method="inclusive") if len(values) > 1 else [values[0]] * 19
    return parts[9], parts[18]
