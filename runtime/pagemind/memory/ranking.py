"""How the signals of a search become one order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from pagemind.records import MessageHit, PassageHit

Hit = TypeVar("Hit", MessageHit, PassageHit)

SIGNALS = ("words", "vector")
ASKING = 0.8
"""What a message that ends by asking counts for: it has the words of what it asks, and rarely the answer."""


def fuse(candidates: Sequence[Hit], limit: int = 10) -> list[Hit]:
    """The best ``limit`` candidates, each with its ``score``: the sum of its signals, each divided by its greatest value.

    Measured on five LoCoMo conversations with the bare question (759 questions, evidence recall@10): cosines alone .491, BM25
    alone .631, this sum .681, with other weights or scales at most that. How much better the first is than the second says
    something, and fusing by rank (.563 against .596 in an earlier measurement) forgets it. A message that asks counts for
    less (.695), or the questions that a person asked before push out what answers them.

    ``scores`` gets the place by each signal beside the raw value: ``words_rank``, ``vector_rank`` (from 1; only where the
    signal speaks), and ``asks`` where that counts for less. Candidates without any signal (a lookup by place) keep their
    order and score 1; one that no signal speaks for is no hit at all.
    """
    greatest = {name: max((hit.scores.get(name, 0.0) for hit in candidates), default=0.0) for name in SIGNALS}
    ranks = {name: ranks_by(candidates, name) for name in SIGNALS}
    scored = [
        replace(
            hit,
            score=score_of(hit, greatest),
            scores={
                **hit.scores,
                **{f"{name}_rank": float(ranks[name][hit.id]) for name in SIGNALS if hit.id in ranks[name]},
                **({"asks": ASKING} if asks(hit) else {}),
            },
        )
        for hit in candidates
    ]
    return sorted((hit for hit in scored if hit.score > 0), key=lambda hit: -hit.score)[:limit]


def score_of(hit: MessageHit | PassageHit, greatest: dict[str, float]) -> float:
    """The sum of the hit's signals, each in 0 to 1; of a message that asks, less."""
    spoken = [name for name in SIGNALS if name in hit.scores]
    if not spoken:
        return 1.0
    told = sum(max(0.0, hit.scores[name]) / greatest[name] for name in spoken if greatest[name] > 0)
    return told * ASKING if asks(hit) else told


def asks(hit: MessageHit | PassageHit) -> bool:
    """Whether it is a message that was found by its words or meaning, and that ends by asking."""
    return (
        isinstance(hit, MessageHit)
        and bool(hit.scores.keys() & set(SIGNALS))
        and hit.content.rstrip().endswith(("?", "？", "؟"))
    )


def ranks_by(candidates: Sequence[Hit], signal: str) -> dict[object, int]:
    """The place of each candidate for which the signal speaks, from 1."""
    heard = [hit for hit in candidates if hit.scores.get(signal, 0.0) > 0]
    return {hit.id: place for place, hit in enumerate(sorted(heard, key=lambda hit: -hit.scores[signal]), start=1)}
