"""A search: small collections by looking at every row, large ones by their indexes, as the survey found them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.records import Json
from pagemind.records.search import NOTHING_FILTERED, Filters
from pagemind.store.driver import rows
from pagemind.store.hybrid import exact, rarest, term_values
from pagemind.store.indexed import search_indexed
from pagemind.store.known import KNOWN, TENANT, LargeCollections
from pagemind.store.narrowing import Conditions
from pagemind.store.shares import Collection
from pagemind.store.spaces import Scope, Space
from pagemind.store.terms import Term, terms_of


@dataclass(frozen=True)
class Understood:
    """A query before it is answered: its words, which collections in its scope are searched by their indexes, and whether there
    are others.
    """

    terms: Sequence[Term]
    large: Mapping[UUID, Collection]
    others: bool


async def understand(session: AsyncSession, space: Space, scope: Scope, query: str) -> Understood:
    """The query as it is answered, with whatever filters."""
    large, others = await large_ones(session, space, scope)
    return Understood(await terms_of(session, query), large, others)


@dataclass(frozen=True)
class Wanted:
    """What is looked for, and how many of the best by each signal are wanted. ``exact``: whatever it costs."""

    query: Understood
    vector: str | None
    model: str | None
    pool: int
    filters: Filters = NOTHING_FILTERED
    exact: bool = False

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
) -> Sequence[Any]:
    """The rows that ``result`` selects from the best candidates, ``best`` with ``id, words, cosine``, and from ``extent`` with
    ``mean`` and the weights ``w1``, ... of the terms. It brings ``by_words`` and ``cosine``.
    """
    terms, large, others = wanted.query.terms, wanted.query.large, wanted.query.others
    if wanted.exact or not large:
        return await search_exactly(session, space, scope, narrow, wanted, result)
    found: list[Any] = []
    for collection in large.values():
        left = collection.rows_left(wanted.filters)
        found += await search_indexed(session, space, collection, narrow, terms, wanted.values, result, left=left)
    if others:
        found += await search_exactly(session, space, scope.without(space, large), narrow, wanted, result)
    return found if len(large) + others == 1 else best_of(found, wanted.pool)


async def search_exactly(
    session: AsyncSession, space: Space, scope: Scope, narrow: Conditions, wanted: Wanted, result: str
) -> Sequence[Any]:
    """The same, by every row in scope."""
    terms = await rarest(session, space, scope, narrow, wanted.query.terms)
    count, queries = term_values(terms)
    statement = exact(space, scope, narrow, terms=count, vectors=wanted.by_meaning, few=False, result=result)
    return await rows(session, statement, {**scope.values, **narrow.values, **queries, **wanted.values})


async def large_ones(session: AsyncSession, space: Space, scope: Scope) -> tuple[Mapping[UUID, Collection], bool]:
    """The collections in scope that are searched by their indexes, and whether there are others."""
    known = session.info.get(KNOWN)
    large: Mapping[UUID, Collection] = {}
    if isinstance(known, LargeCollections):
        large = await known.of(session, space, session.info[TENANT])
    if not large:
        return large, True
    if not scope.archives:
        ids: set[UUID] = set(scope.values["conversations"])
        return {id: each for id, each in large.items() if id in ids}, not ids <= large.keys()
    statement = f"""
    SELECT array_agg(id) FILTER (WHERE id = ANY (%(large)s::uuid[])) AS large, bool_or(id <> ALL (%(large)s::uuid[])) AS others
      FROM ({scope.archives}) AS scope"""  # noqa: S608 - constants of this room
    [row] = await rows(session, statement, {**scope.values, "large": list(large)})
    return {id: large[id] for id in row.large or ()}, bool(row.others)


def best_of(found: Sequence[Any], pool: int) -> Sequence[Any]:
    """The ``pool`` best by each signal."""
    by_words = sorted((row for row in found if row.by_words > 0), key=lambda row: -row.by_words)[:pool]
    by_meaning = sorted((row for row in found if row.cosine is not None), key=lambda row: -row.cosine)[:pool]
    return list({row.id: row for row in (*by_words, *by_meaning)}.values())
