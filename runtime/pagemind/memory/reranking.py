"""How a reranker's scores become the order of a search. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pagemind.records.search import Hit

KEPT = ("decay", "confidence")
"""What the policy multiplies a score by, a reranker's too; the other boosts guess at what a reranker reads for itself."""


def reordered(hits: Sequence[Hit], scores: Sequence[float], weight: float | None = None) -> list[Hit]:
    """The hits with the first ones put into the order of their reranker's scores; those without a score follow as they stood.

    Without ``weight`` the score alone decides, times what the policy asks for; with it the order is that of ``fused + weight *
    score``. Each rescored hit gets ``scores["reranker"]``, as the reranker gave it, and ``scores["reranker_rank"]``, its place
    from 1. Its ``score`` stays what the search gave it. Equal ones keep their order.
    """
    weighed = alone(hits, scores) if weight is None else mixed(hits, scores, weight)
    order = sorted(range(len(weighed)), key=lambda at: -weighed[at])
    best = [
        replace(hits[at], scores={**hits[at].scores, "reranker": scores[at], "reranker_rank": float(place)})
        for place, at in enumerate(order, start=1)
    ]
    return [*best, *hits[len(weighed) :]]


def alone(hits: Sequence[Hit], scores: Sequence[float]) -> list[float]:
    """The scores, each times what the policy asks for."""
    return [score * policy_boost(hit) for hit, score in zip(hits, scores, strict=False)]


def mixed(hits: Sequence[Hit], scores: Sequence[float], weight: float) -> list[float]:
    """``fused + weight * score``, both scaled to 0 to 1 over the rescored hits; what the policy asks for weighs both parts.

    The fused score, as the search gave it, has that in it already.
    """
    fused = scaled([hit.score for hit, _ in zip(hits, scores, strict=False)])
    late = alone(hits, scaled(scores))
    return [own + weight * other for own, other in zip(fused, late, strict=True)]


def scaled(values: Sequence[float]) -> list[float]:
    """The values, the least as 0 and the greatest as 1; all 0 where they are equal."""
    least, greatest = min(values, default=0.0), max(values, default=0.0)
    return [(value - least) / (greatest - least) if greatest > least else 0.0 for value in values]


def policy_boost(hit: Hit) -> float:
    """The product of those of its boosts that the policy asked for."""
    product = 1.0
    for name in KEPT:
        product *= hit.boosts.get(name, 1.0)
    return product
