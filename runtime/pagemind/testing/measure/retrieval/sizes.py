"""How much a run of the bench of retrieval measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    conversations: int | None = None
    """Only so many of the folder's; None: all."""
    ablate: bool = True
    texts: int = 100_000
    """Generated texts with real vectors."""
    sizes: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    """Passages of the archives that searches are timed in; beyond ``texts`` they are synthetic."""
    many: tuple[int, int] = (10_000, 100)
    """So many archives of so many passages each."""
    queries: int = 200
    loading: int = 8_192
    rounds: int = 3
    seed: int = 0


QUICK = Size(
    conversations=1, ablate=False, texts=1_000, sizes=(1_000, 5_000), many=(20, 10), queries=15, loading=256, rounds=1
)  # fmt: skip
