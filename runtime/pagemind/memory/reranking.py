"""How a reranker's scores become the order of a search. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pagemind.records.search import Hit

KEPT = ("decay", "confidence")
"""What the policy multiplies a score by, a reranker's too; the other boosts guess at what a reranker reads for itself."""


def reordered(hits: Sequence[Hit], scores: Sequence[float]) -> list[Hit]:
    """The hits with the first ones put into the order of their reranker's scores; those without a score follow as they stood.

    Each rescored hit gets ``scores["reranker"]``, as the reranker gave it, and ``scores["reranker_rank"]``, its place from 1 by
    that score times what the policy asks for. Its ``score`` stays what the search gave it. Equal ones keep their order.
    """
    weighed = [score * policy_boost(hit) for hit, score in zip(hits, scores, strict=False)]
    order = sorted(range(len(weighed)), key=lambda at: -weighed[at])
    best = [
        replace(hits[at], scores={**hits[at].scores, "reranker": scores[at], "reranker_rank": float(place)})
        for place, at in enumerate(order, start=1)
    ]
    return [*best, *hits[len(weighed) :]]


def policy_boost(hit: Hit) -> float:
    """The product of those of its boosts that the policy asked for."""
    product = 1.0
    for name in KEPT:
        product *= hit.boosts.get(name, 1.0)
    return product
