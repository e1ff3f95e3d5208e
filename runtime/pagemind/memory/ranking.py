"""How the signals of a search become one order, and why each hit stands where it does. Pure.

The base is the sum of two signals, words (BM25) and meaning (cosine), each divided by its greatest value among the candidates.
How much better the first is than the second says something, which fusing by rank forgets. What else helps is added to that or
multiplies it, ingredient by ingredient (`Ingredients`): ``score = (words + vector + dates + neighbours) * boosts``. What each
is worth, and what was tried and left out, stands in docs/retrieval.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Generic
from uuid import UUID

from pagemind.memory.dates import Span, fit
from pagemind.records import Decay, MessageHit, PassageHit, Policy
from pagemind.records.search import Hit

SIGNALS = ("words", "vector")
ASKING = 0.8
"""What a message that ends by asking counts for: it has the words of what it asks, and rarely the answer."""
NEIGHBOURS = {-3: 0.1, -2: 0.2, -1: 0.3, 1: 0.2, 2: 0.15, 3: 0.1}
"""What a message gets of its neighbours' scores, by their offset: most from the one before it, which it may answer."""
SITTING = timedelta(hours=6)
"""Messages further apart are of different sittings, and no neighbours."""
OTHER_SPEAKER = 0.7
"""What a message of somebody else counts for where the query names a speaker."""
DATED = 1.5
"""What a time that the query names adds to a text of that time: more than either signal alone."""
LINEAR_LOSS = 0.3
"""What linear decay takes from a text as old as its retention or older."""
REVIEW = 0.5
"""What a confidence is multiplied by once its ``review_by`` has passed."""
SPEAKER = re.compile(r"(?:\[[^\]\n]{1,60}\]\s*)?([^\W\d_][\w .'’-]{0,38}?):\s")
QUESTION_MARKS = ("?", "？", "؟")


@dataclass(frozen=True)
class Ingredients:
    """What goes into the order. All of it serves; a measurement leaves out one at a time."""

    words: bool = True
    """BM25 of the query's words, as written and as stems."""
    vector: bool = True
    """The cosine of the query's embedding and the text's."""
    neighbours: bool = True
    """The messages before and after one lend it some of their score: an answer rarely repeats its question's words."""
    speakers: bool = True
    """Where the query names one of those who speak, messages of the others count for less."""
    dates: bool = True
    """Where the query names a time, what was said at or soon after that time counts for more."""
    asking: bool = True
    """A message that ends by asking counts for less."""


@dataclass(frozen=True)
class Asked:
    """What is ranked for: the query, the times that it names, the time that ages count from, and how things are weighed."""

    query: str
    now: datetime
    spans: Sequence[Span] = ()
    policy: Policy = field(default_factory=Policy)
    ingredients: Ingredients = field(default_factory=Ingredients)


@dataclass(frozen=True)
class Among(Generic[Hit]):
    """What is known of all candidates together."""

    hits: Mapping[UUID, Hit]
    own: Mapping[UUID, float]
    """What each says for itself."""
    others: frozenset[UUID]
    """Those that somebody else spoke than whom the query names."""


def ranked(candidates: Sequence[Hit], asked: Asked) -> Iterator[Hit]:
    """The candidates that something speaks for, the best first, each with its ``score``, ``scores`` and ``boosts``.

    ``scores`` gets each signal's place beside its raw value (``words_rank``, ``vector_rank``, from 1, only where it speaks) and
    what was added to their sum (``dates``, ``neighbours``); ``boosts`` what that was multiplied by (``asks``,
    ``other_speaker``, ``decay``, ``confidence``). Candidates that were looked up by place, without any signal, keep their
    order and score 1.
    """
    known = heard(candidates, asked.ingredients)
    among = Among(
        hits={hit.id: hit for hit in known},
        own=own_scores(known, asked),
        others=by_others(known, asked.query) if asked.ingredients.speakers else frozenset(),
    )
    scores = {hit.id: score_of(hit, among, asked) for hit in known}
    ranks = {signal: ranks_by(known, signal) for signal in SIGNALS}
    for hit in sorted(known, key=lambda hit: -scores[hit.id]):
        if scores[hit.id] > 0:
            yield explained(hit, scores[hit.id], ranks, among, asked)


def score_of(hit: Hit, among: Among[Hit], asked: Asked) -> float:
    """The hit's score: what it says for itself and what its neighbours lend it, times its boosts; 0 where it says nothing."""
    own = among.own[hit.id]
    return (own + lent(hit, among, asked)) * math.prod(boosts_of(hit, among, asked).values()) if own > 0 else 0.0


def explained(hit: Hit, score: float, ranks: Mapping[str, Mapping[UUID, int]], among: Among[Hit], asked: Asked) -> Hit:
    """The hit with its score, and what that is made of."""
    places = {f"{signal}_rank": float(place[hit.id]) for signal, place in ranks.items() if hit.id in place}
    added = {"dates": dated(hit, asked), "neighbours": lent(hit, among, asked)}
    return replace(
        hit,
        score=score,
        scores={**hit.scores, **places, **{name: value for name, value in added.items() if value}},
        boosts=boosts_of(hit, among, asked),
    )


def heard(hits: Sequence[Hit], ingredients: Ingredients) -> Sequence[Hit]:
    """The hits without the signals that are left out."""
    silent = {signal for signal in SIGNALS if not getattr(ingredients, signal)}
    if not silent:
        return hits
    return [replace(hit, scores={name: raw for name, raw in hit.scores.items() if name not in silent}) for hit in hits]


def found_by_signal(hit: MessageHit | PassageHit) -> bool:
    """Whether it was found by its words or meaning, and not looked up."""
    return "words" in hit.scores or "vector" in hit.scores


def own_scores(hits: Sequence[MessageHit | PassageHit], asked: Asked) -> dict[UUID, float]:
    """What each says for itself: its signals, each in 0 to 1, and the time it is of. 1 where it was looked up.

    Where others have a vector and a text has none yet, its words speak for both: what was stored just now must not lose to
    what merely is like the query.
    """
    most = {signal: max((hit.scores.get(signal, 0.0) for hit in hits), default=0.0) for signal in SIGNALS}

    def share(hit: MessageHit | PassageHit, signal: str) -> float:
        return max(0.0, hit.scores.get(signal, 0.0)) / most[signal] if most[signal] > 0 else 0.0

    def own(hit: MessageHit | PassageHit) -> float:
        words = share(hit, "words")
        meaning = words if most["vector"] > 0 and "vector" not in hit.scores else share(hit, "vector")
        return words + meaning + dated(hit, asked)

    return {hit.id: own(hit) if found_by_signal(hit) else 1.0 for hit in hits}


def dated(hit: MessageHit | PassageHit, asked: Asked) -> float:
    """What it gets for being of a time that the query names (`dates.fit`)."""
    return DATED * fit(hit.created_at, asked.spans) if asked.ingredients.dates and asked.spans else 0.0


def lent(hit: MessageHit | PassageHit, among: Among[Hit], asked: Asked) -> float:
    """What a message's neighbours of the same sitting lend it of what they say for themselves."""
    if not isinstance(hit, MessageHit) or not asked.ingredients.neighbours:
        return 0.0
    near = ((NEIGHBOURS.get(offset, 0.0), among.hits.get(other), other) for offset, other in hit.around.items())
    return sum(
        share * among.own[other]
        for share, beside, other in near
        if beside is not None and abs(beside.created_at - hit.created_at) <= SITTING
    )


def boosts_of(hit: MessageHit | PassageHit, among: Among[Hit], asked: Asked) -> dict[str, float]:
    """What its score is multiplied by: of messages that were found by a signal ``asks`` and ``other_speaker``, and what the
    policy asks for (`weighed`)."""
    boosts = weighed(hit, asked)
    if isinstance(hit, MessageHit) and found_by_signal(hit):
        if asked.ingredients.asking and asks(hit.content):
            boosts["asks"] = ASKING
        if hit.id in among.others:
            boosts["other_speaker"] = OTHER_SPEAKER
    return boosts


def asks(content: str) -> bool:
    """Whether it ends by asking."""
    return content.rstrip().endswith(QUESTION_MARKS)


def by_others(hits: Sequence[MessageHit | PassageHit], query: str) -> frozenset[UUID]:
    """Messages that somebody spoke whom the query does not name, where it does name somebody who speaks.

    Who speaks stands at the head of a message ("Ana: ...", "[8 May] Ana: ..."), as transcripts and groups have it. Nobody's
    name is guessed where only one speaks, or most messages say nothing of that.
    """
    speakers = {hit.id: speaker for hit in hits if isinstance(hit, MessageHit) and (speaker := speaker_of(hit.content))}
    if len(speakers) * 2 < len(hits):
        return frozenset()
    named = {name for name in set(speakers.values()) if re.search(rf"\b{re.escape(name)}\b", query, re.IGNORECASE)}
    return frozenset(hit_id for hit_id, speaker in speakers.items() if speaker not in named) if named else frozenset()


def speaker_of(content: str) -> str:
    """The name at the head of a message; none where there is none."""
    match = SPEAKER.match(content)
    return match[1] if match else ""


def weighed(hit: MessageHit | PassageHit, asked: Asked) -> dict[str, float]:
    """What the policy multiplies its score by: ``decay`` and ``confidence``, where the policy asks for them."""
    policy = asked.policy
    boosts: dict[str, float] = {}
    if policy.decay is not Decay.none:
        boosts["decay"] = decay(asked.now - aged_from(hit, policy), timedelta(days=policy.retention_days), policy.decay)
    if policy.weigh_confidence and isinstance(hit, PassageHit):
        boosts["confidence"] = confidence_of(hit, policy, asked.now)
    return boosts


def aged_from(hit: MessageHit | PassageHit, policy: Policy) -> datetime:
    """When its age began: when it was stored or, where the policy keeps it young, when it was last found."""
    if policy.refresh_on_access and isinstance(hit, PassageHit) and hit.refreshed_at is not None:
        return max(hit.created_at, hit.refreshed_at)
    return hit.created_at


def decay(age: timedelta, retention: timedelta, form: Decay) -> float:
    """``1 - age / retention * 0.3``, at least 0.7; or ``0.5 ** (age / retention)``. What is of the future is of now."""
    share = max(0.0, age / retention)
    return 0.5**share if form is Decay.half_life else 1 - LINEAR_LOSS * min(1.0, share)


def confidence_of(hit: PassageHit, policy: Policy, now: datetime) -> float:
    """How far the passage is trusted, 0 to 1: its own confidence, else its origin's; half of that once it is to be reviewed."""
    trust = policy.confidence.get(hit.origin, 1.0) if hit.confidence is None else hit.confidence
    return trust * REVIEW if hit.review_by is not None and hit.review_by <= now else trust


def ranks_by(hits: Sequence[MessageHit | PassageHit], signal: str) -> dict[UUID, int]:
    """The place of each hit for which the signal speaks, from 1."""
    speaks = [hit for hit in hits if hit.scores.get(signal, 0.0) > 0]
    return {hit.id: place for place, hit in enumerate(sorted(speaks, key=lambda hit: -hit.scores[signal]), start=1)}
