"""Which of the ranked are hits: like enough, each said once, different enough; and what came near, with the reason. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from pagemind.memory.alike import bag_of, likeness
from pagemind.memory.duplicates import gist
from pagemind.records import MessageHit, PassageHit, Policy
from pagemind.records.search import Found, Hit

NEAR_MISSES = 5
BEGINNING_CHARS = 300
"""Few texts that begin with the same say different things, and a gist takes a microsecond for every five characters."""
LOOKED_AT = 100
"""So many of the best are compared with each other where difference counts."""


def chosen(ranked: Iterable[Hit], limit: int, policy: Policy) -> Found[Hit]:
    """The first ``limit`` that pass the policy, and up to ``NEAR_MISSES`` that came near, each with ``missed``.

    What is less like the query than ``policy.min_similarity`` (by cosine) is left out, and what says the same as a better
    one. No more are looked at than that takes. With ``policy.diversity`` the order is that of maximal marginal relevance.
    """
    misses: list[Hit] = []
    kept: list[Hit] = []
    said: dict[UUID | str, Hit] = {}
    most = max(limit + NEAR_MISSES, LOOKED_AT if policy.diversity else 0)
    for hit in ranked:
        if len(kept) == most:
            break
        sense = sense_of(hit)
        missed = too_unlike(hit, policy) or repeats(hit, said.get(sense))
        if missed:
            misses.append(replace(hit, missed=missed))
        else:
            said.setdefault(sense, hit)
            kept.append(hit)
    if policy.diversity:
        kept = [*different(kept[:LOOKED_AT], policy.diversity), *kept[LOOKED_AT:]]
    misses += [
        replace(hit, missed=f"place {place}, and {limit} were asked for") for place, hit in enumerate(kept[limit:], limit + 1)
    ]
    near = sorted(misses, key=lambda hit: -hit.score)[:NEAR_MISSES]
    return Found(tuple(kept[:limit]), tuple(near))


def too_unlike(hit: MessageHit | PassageHit, policy: Policy) -> str:
    """Why it is too unlike the query; nothing where it is not, or has no vector to tell by."""
    cosine = hit.scores.get("vector")
    if policy.min_similarity is None or cosine is None or cosine >= policy.min_similarity:
        return ""
    return f"its similarity {cosine:.2f} is below {policy.min_similarity:g}"


def repeats(hit: Hit, same: Hit | None) -> str:
    """That a better one of the same sense says the same; nothing where it does not, or there is none."""
    if same is None or gist(text_of(same)) != gist(text_of(hit)):
        return ""
    return f"says the same as {f'#{same.seq}' if isinstance(same, MessageHit) else same.id}"


def sense_of(hit: MessageHit | PassageHit) -> UUID | str:
    """What two hits have in common that say the same: the gist of how they begin, or that where it has none."""
    begins = text_of(hit)[:BEGINNING_CHARS]
    return gist(begins) or begins


def text_of(hit: MessageHit | PassageHit) -> str:
    """What it says."""
    return hit.content if isinstance(hit, MessageHit) else hit.text


def different(hits: Sequence[Hit], diversity: float) -> list[Hit]:
    """The hits by maximal marginal relevance (Carbonell and Goldstein 1998): next comes the one with the greatest
    ``(1 - diversity) * score - diversity * likeness``, where the score is divided by the greatest and the likeness is that to
    the most alike that came before it, by their words."""
    left = list(hits)
    bags = {hit.id: bag_of(text_of(hit)) for hit in hits}
    most = max((hit.score for hit in hits), default=1.0) or 1.0
    nearest = dict.fromkeys(bags, 0.0)
    order: list[Hit] = []
    while left:
        best = max(left, key=lambda hit: (1 - diversity) * hit.score / most - diversity * nearest[hit.id])
        left.remove(best)
        order.append(best)
        for hit in left:
            nearest[hit.id] = max(nearest[hit.id], likeness(bags[hit.id], bags[best.id]))
    return order
