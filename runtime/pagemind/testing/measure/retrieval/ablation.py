"""The runtime's search with one ingredient left out at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from uuid import UUID

from pagemind.engine.runtime import Runtime
from pagemind.memory.ranking import Ingredients
from pagemind.testing.measure.retrieval.found import AT, Search
from pagemind.testing.measure.retrieval.intervals import Interval


@dataclass(frozen=True)
class Variant:
    """A search without the ingredient ``name``."""

    name: str
    search: Search


@dataclass(frozen=True)
class Without:
    """Recall without an ingredient by depth, and what the ingredient adds: the whole's recall less this, paired by question."""

    recall: Mapping[int, float]
    adds: Mapping[int, Interval]

    def figures(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **{f"recall@{depth}": round(value, 4) for depth, value in self.recall.items()},
            "adds": {f"recall@{depth}": each.rounded() for depth, each in self.adds.items()},
        }


def variants(runtime: Runtime) -> list[Variant]:
    """A search without each ingredient of the ranking that serves."""
    whole = Ingredients()
    names = [each.name for each in fields(whole) if getattr(whole, each.name) is True]
    return [Variant(name, without(runtime, replace(whole, **{name: False}))) for name in names]


def without(runtime: Runtime, ingredients: Ingredients) -> Search:
    """The runtime's search with these ingredients."""

    async def search(conversation_id: UUID, question: str) -> Sequence[int]:
        hits = await runtime.memory.search_conversation(conversation_id, question, limit=max(AT), ingredients=ingredients)
        return [hit.seq for hit in hits]

    return search
