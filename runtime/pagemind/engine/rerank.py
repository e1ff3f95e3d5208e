"""A search, its second stage: a reranker puts the first hits into order, if it is there in time."""

from __future__ import annotations

from collections.abc import Sequence

from pagemind.engine.kernel import Kernel
from pagemind.engine.second_stage import KEPT
from pagemind.memory.reranking import reordered
from pagemind.records import MessageHit, Policy
from pagemind.records.search import Hit


async def reranked(kernel: Kernel, query: str, hits: Sequence[Hit], policy: Policy) -> tuple[list[Hit], str]:
    """The hits with the first ``reranker_top`` in the reranker's order, and a note for who asks why; empty where none is used.

    Whatever keeps the reranker from answering, the hits come back in their own order, and the note says so. No query or text
    reaches the log.
    """
    second = kernel.second_stage
    if policy.rerank is False or len(hits) < 2 or not query.strip() or not any(hit.scores for hit in hits):
        return list(hits), ""
    if second is None:
        return list(hits), f"no reranker is configured: {KEPT}" if policy.rerank else ""
    top = hits[: kernel.settings.reranker_top]
    scores, note = await second.scored(query, [hit.content if isinstance(hit, MessageHit) else hit.text for hit in top])
    return reordered(hits, scores, second.reranker.weight), note
