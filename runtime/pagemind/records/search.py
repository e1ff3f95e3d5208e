"""What a search found, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pagemind.records.base import Json


@dataclass(frozen=True)
class PassageHit:
    """A passage that a search found. ``scores`` says how: by name of the signal (``vector`` is a cosine, 1 is equal)."""

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


@dataclass(frozen=True)
class MessageHit:
    """A message that a search found. ``seq`` is its number in the conversation; ``scores`` as in ``PassageHit``."""

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
