"""Search in one large collection by its own indexes: a GIN of the words, an HNSW of the vectors, both partial.

Words: the rows of the rarest words within a budget (``shares.picked``), scored by BM25; common words only score. A word's
rarity is that of the whole collection, from its survey, or counted among the candidates where it is too rare to be known.
Meaning: the index brings rows in (about) the order of their distance, each is held against the conditions, until there are
enough; where the conditions leave few rows, all of those are looked at instead, which is exact.

An index of one collection is only used where the statement names that collection and model as constants and repeats the
index's expressions to the letter; so values are merged into the statement here, quoted by libpq, and it is planned each time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

from psycopg import AsyncClientCursor, AsyncConnection
from psycopg.rows import namedtuple_row
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.records import Json
from pagemind.store.hybrid import MOST_TERMS, exact, places, rarity, score, term_values
from pagemind.store.narrowing import Conditions
from pagemind.store.shares import BUDGET, Collection, picked
from pagemind.store.spaces import Scope, Space
from pagemind.store.terms import Term

CUT = 3 * BUDGET
"""At most so many rows are scored by their words, if the survey was wrong."""
LEAST_SEARCHED = 200
MOST_SEARCHED = 1000
"""Bounds of ``hnsw.ef_search``."""
MOST_VISITED = 40_000
"""How far the index is followed where the conditions let few rows pass."""
LOOKED_UP_COST = 0.15
"""What a row costs that is looked at by itself, of what one costs that the index passes (6 to 60 µs of a busy core)."""

# The planner knows neither what a filter leaves nor what the index costs: there is no scan here but by an index.
PLANNING = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "enable_sort": "off"}


def narrow_enough(collection: Collection, left: float, pool: int) -> bool:
    """Whether so few rows are left by the filters that looking at each is cheaper than following the index past the others.

    The index passes ``rows / left`` rows for each that may come, until it has ``pool`` of them.
    """
    return left * LOOKED_UP_COST <= pool * collection.rows / max(left, 1.0)


async def search_indexed(
    session: AsyncSession,
    space: Space,
    collection: Collection,
    narrow: Conditions,
    terms: Sequence[Term],
    values: Json,
    result: str,
    *,
    left: float,
) -> list[Any]:
    """As `search`, in one collection whose index of words is ready; ``left``: about how many rows the conditions leave."""
    by_meaning = "vector" in values
    known = terms if len(terms) <= MOST_TERMS else sorted(terms, key=collection.rows_of)[:MOST_TERMS]
    pool = int(values["pool"])
    settings = {"enable_seqscan": "off"}
    if left < collection.rows and narrow_enough(collection, left, pool):
        statement, queries = few_rows(space, collection, narrow, known, by_meaning, result)
    else:
        settings |= {
            **PLANNING,
            "hnsw.iterative_scan": "relaxed_order",
            "hnsw.ef_search": str(min(MOST_SEARCHED, max(LEAST_SEARCHED, 2 * pool))),
            "hnsw.max_scan_tuples": str(MOST_VISITED),
        }
        statement, queries = by_indexes(space, collection, narrow, known, values, result)
    return await planned_rows(session, settings, statement, {**narrow.values, **values, **queries, "id": str(collection.id)})


def few_rows(
    space: Space, collection: Collection, narrow: Conditions, terms: Sequence[Term], by_meaning: bool, result: str
) -> tuple[str, Json]:
    """The statement that looks at every row that the conditions leave."""
    count, queries = term_values(terms)
    scope = Scope(f"FROM {{table}} {{row}} WHERE {{row}}.{space.collection} = %(id)s::uuid", {})
    narrow = Conditions([*narrow.each, *narrow.indexed], narrow.values)
    return exact(space, scope, narrow, terms=count, vectors=by_meaning, few=True, result=result), queries


def by_indexes(
    space: Space, collection: Collection, narrow: Conditions, terms: Sequence[Term], values: Json, result: str
) -> tuple[str, Json]:
    """The statement that goes by the indexes, and the words in it."""
    row, count = space.row, len(terms)
    counted = "".join(f", {places(f'%(q{n})s::tsquery', f'{row}.words')} AS n{n}" for n in range(1, count + 1))
    weights = "".join(f", {weight(collection, term, n)} AS w{n}" for n, term in enumerate(terms, start=1))
    total = score(count, "x.w{n}", "c.n{n}", "c.size", "x.mean")
    any_of = picked(collection, terms)
    found = f"""
    SELECT {row}.id, length({row}.words)::float8 AS size{counted} FROM {space.table} {row}
     WHERE {row}.{space.collection} = %(id)s::uuid AND {row}.words @@ (SELECT %(any)s::tsquery) AND {narrow.sql} LIMIT {CUT}"""  # noqa: S608
    if any_of is None:
        found = f"{found.rpartition('LIMIT')[0]} LIMIT 0"
    near, cosine = "SELECT NULL::uuid AS id, NULL::float8 AS cosine WHERE false", "NULL::float8"
    if "vector" in values:
        near = nearest(space, collection, narrow, str(values["model"]))
        cosine = f"""coalesce(c.cosine, (SELECT 1 - (e.embedding <=> %(vector)s::halfvec) FROM {space.vectors} e
                  WHERE e.{space.key} = c.id AND e.model = %(model)s))"""  # noqa: S608 - constants
    statement = f"""
WITH found AS MATERIALIZED ({found}),
extent AS MATERIALIZED (SELECT count(*) AS found, {collection.mean_words!r}::float8 AS mean{weights} FROM found),
ranked AS MATERIALIZED (SELECT c.id FROM found c CROSS JOIN extent x ORDER BY {total} DESC LIMIT %(pool)s),
near AS MATERIALIZED ({near}),
candidates AS MATERIALIZED (
    SELECT u.id, u.cosine, length({row}.words)::float8 AS size{counted}
      FROM (SELECT id, max(cosine) AS cosine FROM (SELECT id, cosine FROM near UNION ALL SELECT id, NULL FROM ranked) AS each
             GROUP BY id) AS u JOIN {space.table} {row} ON {row}.id = u.id
),
best AS MATERIALIZED (
    SELECT c.id, {total} AS words, {cosine} AS cosine
      FROM candidates c CROSS JOIN extent x
)
{result}
"""  # noqa: S608 - put together from constants of this room and numbers; every value is a parameter
    return statement, {"any": any_of, **{f"q{n}": term.query for n, term in enumerate(terms, start=1)}}


def weight(collection: Collection, term: Term, n: int) -> str:
    """How much the word counts, as SQL over the candidates."""
    share = collection.share_of(term)
    if share is None:
        return rarity(f"{collection.rows}::float8", f"count(n{n})")
    found = share * collection.rows
    return f"{math.log(1 + (max(0.0, collection.rows - found) + 0.5) / (found + 0.5))!r}::float8"


def nearest(space: Space, collection: Collection, narrow: Conditions, model: str) -> str:
    """The rows that are nearest by meaning, by the index where there is one for the model, else by all the vectors."""
    dimensions = collection.models.get(model)
    kind = "halfvec" if dimensions is None else f"halfvec({int(dimensions)})"
    stored = "e.embedding" if dimensions is None else f"(e.embedding::{kind})"
    return f"""
    SELECT e.id, 1 - e.distance AS cosine
      FROM (SELECT e.{space.key} AS id, {stored} <=> %(vector)s::{kind} AS distance FROM {space.vectors} e
             WHERE e.{space.collection} = %(id)s::uuid AND e.model = %(model)s
             ORDER BY {stored} <=> %(vector)s::{kind}) AS e
      JOIN LATERAL (SELECT 1 FROM {space.table} {space.row}
                     WHERE {space.row}.id = e.id AND {narrow.sql} OFFSET 0) AS passed ON true
     LIMIT %(pool)s"""  # noqa: S608 - constants


async def planned_rows(session: AsyncSession, settings: Json, statement: str, values: Json) -> list[Any]:
    """What the statement brings, planned and run under these settings, which end with it; in one round trip."""
    raw = await (await session.connection()).get_raw_connection()
    connection = cast("AsyncConnection[Any]", raw.driver_connection)
    before = "".join(f"SET LOCAL {name} = '{value}'; " for name, value in settings.items())
    after = "".join(f"; SET LOCAL {name} TO DEFAULT" for name in settings)
    async with AsyncClientCursor(connection, row_factory=namedtuple_row) as cursor:
        await cursor.execute(f"{before}{statement}{after}".encode(), values)
        while cursor.description is None:
            cursor.nextset()
        return await cursor.fetchall()
