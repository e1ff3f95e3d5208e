"""What is searched for, by which policy, what was found, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar, overload
from uuid import UUID

from pagemind.records.base import Json


@dataclass(frozen=True)
class Filters:
    """What a hit must be, before anything is ranked. What is left out or empty filters nothing."""

    tags: tuple[str, ...] = ()
    """At least one of these, or all of them with ``all_tags``."""
    all_tags: bool = False
    after: datetime | None = None
    before: datetime | None = None
    """``after <= created_at < before``."""
    roles: tuple[str, ...] = ()
    """Of messages: who wrote them; user and assistant unless given."""
    sources: tuple[str, ...] = ()
    """Of passages: where they came from, as ``Passage.source`` has it."""
    origins: tuple[str, ...] = ()
    """Of passages: who vouches for them (``Origin``)."""
    identity_ids: tuple[UUID, ...] = ()
    """Of passages: whom they are about; of messages: who sent them."""
    least_confidence: float = 0.0
    """Of passages: how far they are trusted at least, 0 to 1 (``Policy.confidence`` where they do not say)."""


NOTHING_FILTERED = Filters()


class Decay(StrEnum):
    """How what is older counts for less."""

    none = "none"
    linear = "linear"
    """``1 - age / retention * 0.3``, at least 0.7."""
    half_life = "half_life"
    """``0.5 ** (age / retention)``."""


CONFIDENCE = {"stated": 1.0, "read": 0.9, "inferred": 0.8, "imported": 0.9}
"""How far each origin is trusted where nothing else is said."""


@dataclass(frozen=True)
class Policy:
    """How what was found is weighed. Everything is off unless asked for, in the agent's file or in the call."""

    min_similarity: float | None = None
    """A hit's least cosine with the query, so that nothing comes rather than noise; a hit without a vector passes."""
    decay: Decay = Decay.none
    retention_days: float = 90.0
    weigh_confidence: bool = False
    """Whether a hit's score is multiplied by its confidence; by half of that once it is past its ``review_by``."""
    confidence: dict[str, float] = field(default_factory=lambda: dict(CONFIDENCE))
    refresh_on_access: bool = False
    """Whether a hit's age counts from when it was last found."""
    diversity: float = 0.0
    """Maximal marginal relevance: 0 ranks by score alone, 1 by difference alone."""
    rerank: bool | None = None
    """Whether the reranker has the last word; None: where the configuration has one."""


@dataclass(frozen=True)
class PassageHit:
    """A passage that a search found, or that came near. ``scores`` says how, by name of the signal: its raw value (``words``
    is BM25, ``vector`` a cosine, 1 is equal) and, from 1, its place by it (``words_rank``, ``vector_rank``)."""

    id: UUID
    text: str
    tags: tuple[str, ...]
    source: str
    created_at: datetime
    score: float
    scores: dict[str, float] = field(default_factory=dict[str, float])
    archive_id: UUID | None = None
    file_id: UUID | None = None
    extra: Json = field(default_factory=dict[str, Any])
    origin: str = "inferred"
    confidence: float | None = None
    review_by: datetime | None = None
    refreshed_at: datetime | None = None
    identity_id: UUID | None = None
    boosts: dict[str, float] = field(default_factory=dict[str, float])
    """What its score was multiplied by, by name of the reason."""
    missed: str = ""
    """Of a near miss: why it is none of the hits."""


@dataclass(frozen=True)
class MessageHit:
    """A message that a search found. ``seq`` is its number in the conversation; the rest as in ``PassageHit``."""

    id: UUID
    seq: int
    role: str
    content: str
    created_at: datetime
    score: float
    resident: bool
    tokens: int = 0
    """What it takes, or took, in the window."""
    scores: dict[str, float] = field(default_factory=dict[str, float])
    conversation_id: UUID | None = None
    around: dict[int, UUID] = field(default_factory=dict[int, UUID])
    """The messages of user and assistant before it (-1, -2, -3) and after it (1, 2, 3) that are candidates, too."""
    boosts: dict[str, float] = field(default_factory=dict[str, float])
    missed: str = ""


Hit = TypeVar("Hit", MessageHit, PassageHit)


@dataclass(frozen=True)
class Found(Sequence[Hit]):
    """What a search brought: a sequence of its hits."""

    hits: tuple[Hit, ...]
    """The best first."""
    near_misses: tuple[Hit, ...] = ()
    """What came near, each with the reason in ``missed``."""
    notes: tuple[str, ...] = ()
    """What the search made of the query: the times it names, how far the reranker came."""
    seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Hit]: ...

    def __getitem__(self, index: int | slice) -> Hit | Sequence[Hit]:
        return self.hits[index]
