"""A search, over all rows in scope or by the indexes of large collections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.records import Json
from pagemind.store.driver import rows
from pagemind.store.hybrid import exact, rarest, term_values
from pagemind.store.narrowing import Conditions
from pagemind.store.spaces import Scope, Space
from pagemind.store.terms import Term


@dataclass(frozen=True)
class Wanted:
    """What is looked for, and how many of the best by each signal are wanted."""

    terms: Sequence[Term]
    vector: str | None
    model: str | None
    pool: int

    @property
    def values(self) -> Json:
        """As the statements name them."""
        asked = {"vector": self.vector, "model": self.model} if self.by_meaning else {}
        return {"pool": self.pool, **asked}

    @property
    def by_meaning(self) -> bool:
        """Whether vectors are compared."""
        return self.vector is not None and self.model is not None


async def search(
    session: AsyncSession, space: Space, scope: Scope, narrow: Conditions, wanted: Wanted, result: str
) -> Sequence[Row[Any]]:
    """The rows that ``result`` selects from the best candidates, ``best`` with ``id, words, cosine``."""
    terms = await rarest(session, space, scope, narrow, wanted.terms)
    count, queries = term_values(terms)
    statement = exact(space, scope, narrow, terms=count, vectors=wanted.by_meaning, few=False, result=result)
    return await rows(session, statement, {**scope.values, **narrow.values, **queries, **wanted.values})
