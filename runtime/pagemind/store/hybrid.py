"""Search by words and by meaning over all rows in scope: both raw scores of the best, to be fused elsewhere.

Words are scored by BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75) over the rows in scope, computed from their
``words`` vectors; meaning by the exact cosine. PostgreSQL's own ``ts_rank`` knows nothing of how rare a word is, and rare
words are what finds a message. But of one word with equal weights it is the partial sum 1 + 1/4 + ... + 1/n² over the word's
n places, divided by its limit, and takes a tenth of a microsecond where unnesting the vector takes twenty: n is read from it.

One pass counts the query's words in every row of the scope, one goes over what came of it. The vectors are read in a pass of
their own, by the archive or conversation that they name: 0.2 ms for 1,000 of them, where looking each up takes 2 ms.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.records import Json
from pagemind.store.driver import rows
from pagemind.store.narrowing import Conditions
from pagemind.store.spaces import Scope, Space
from pagemind.store.terms import Term

MOST_TERMS = 24
"""Of a longer query only the rarest words count."""
MOST_COUNTED = 5000
"""In so many rows the words of a long query are counted."""
TERMS_STEP = 4
"""Statements are made for 0, 4, 8, ... words, so that they are few and stay prepared."""
K1 = 1.2
B = 0.75
LIMIT_OF_SQUARES = 1.6449340668482264
"""1 + 1/4 + 1/9 + ..."""


def places(term: str, words: str) -> str:
    """How often the word that a tsquery looks for stands in ``words``: SQL, NULL where it does not.

    The rest of the sum of inverse squares after its n-th member is near ``1 / (n + 1/2)``; a vector keeps 256 places at
    most, so that single precision is enough.
    """
    rest = f"({LIMIT_OF_SQUARES}::float8 - {LIMIT_OF_SQUARES}::float8 * ts_rank('{{1,1,1,1}}', {words}, {term}))"
    return f"nullif(round(1 / {rest} - 0.5::float8), 0)"


def rarity(rows: str, found: str) -> str:
    """The weight of a word that stands in ``found`` of so many rows: SQL."""
    return f"ln(1 + ({rows} - {found} + 0.5::float8) / ({found} + 0.5::float8))"


def score(count: int, weight: str, times: str, size: str, mean: str) -> str:
    """BM25 of a row: SQL over the words 1 to ``count``, whose weight and places are named with ``{n}``."""
    slots = range(1, count + 1)
    norm = f"({K1 * (1 - B)}::float8 + {K1 * B}::float8 * {size} / {mean})"
    each = (
        f"coalesce({weight.format(n=n)} * {K1 + 1}::float8 * {times.format(n=n)} / ({times.format(n=n)} + {norm}), 0)"
        for n in slots
    )
    return " + ".join(each) or "0::float8"


def exact(space: Space, scope: Scope, narrow: Conditions, *, terms: int, vectors: bool, few: bool, result: str) -> str:
    """The statement over all rows in scope; ``result`` selects from ``best`` with ``id, words, cosine``.

    Those are the union of the ``pool`` best by each score, ``words`` 0 without a match and ``cosine`` NULL without a vector.
    ``few``: the conditions leave so few rows that their vectors are looked up one by one. Parameters: ``q1`` to ``q<terms>``
    (tsquery or NULL), ``pool``, with ``vectors`` also ``vector`` and ``model``, and those of scope and conditions.
    """
    row, slots = space.row, range(1, terms + 1)
    counted = "".join(f", {places(f'%(q{n})s::tsquery', f'{row}.words')} AS n{n}" for n in slots)
    weights = "".join(f", {rarity('count(*)', f'count(n{n})')} AS w{n}" for n in slots)
    cosine = "1 - (e.embedding <=> %(vector)s::halfvec) AS cosine"
    near = "SELECT NULL::uuid AS id, NULL::float8 AS cosine WHERE false"
    if vectors and few:
        one = f"FROM {space.vectors} e WHERE e.{space.key} = s.id AND e.model = %(model)s OFFSET 0"
        near = f"SELECT s.id, {cosine} FROM scope s JOIN LATERAL (SELECT e.embedding {one}) e ON true"  # noqa: S608 - the same
    elif vectors:
        near = f"SELECT e.{space.key} AS id, {cosine} {scope.of(space.vectors, 'e')} AND e.model = %(model)s"
    total = score(terms, "x.w{n}", "s.n{n}", "s.size", "x.mean")
    matched = f"coalesce({', '.join(f's.n{n}' for n in slots)}) IS NOT NULL" if terms else "false"
    return f"""
WITH scope AS MATERIALIZED (
    SELECT {row}.id, length({row}.words)::float8 AS size{counted} {scope.of(space.table, row)} AND {narrow.sql}
),
near AS MATERIALIZED ({near}),
extent AS MATERIALIZED (SELECT greatest(avg(size), 1) AS mean{weights} FROM scope),
-- Looked up in a hash of their own (IN ... IS TRUE) and grouped, not joined: of a table that was filled just now the planner
-- expects one row, and would loop over all pairs.
top AS MATERIALIZED (
    (SELECT s.id FROM scope s CROSS JOIN extent x WHERE {matched} ORDER BY {total} DESC LIMIT %(pool)s)
    UNION ALL
    (SELECT id FROM near WHERE (id IN (SELECT id FROM scope)) IS TRUE ORDER BY cosine DESC LIMIT %(pool)s)
),
best AS MATERIALIZED (
    SELECT id, max(words) AS words, max(cosine) AS cosine
      FROM (SELECT s.id, {total} AS words, NULL::float8 AS cosine FROM scope s CROSS JOIN extent x
             WHERE (s.id IN (SELECT id FROM top)) IS TRUE
            UNION ALL SELECT id, NULL, cosine FROM near WHERE (id IN (SELECT id FROM top)) IS TRUE) AS each
     GROUP BY id
)
{result}
"""  # noqa: S608 - put together from constants of this room; every value is a parameter


def term_values(terms: Sequence[Term]) -> tuple[int, Json]:
    """How many places for words a statement has for these, and the values in them."""
    count = -(-len(terms) // TERMS_STEP) * TERMS_STEP
    queries = [term.query for term in terms] + [None] * (count - len(terms))
    return count, {f"q{n}": query for n, query in enumerate(queries, start=1)}


async def rarest(
    session: AsyncSession, space: Space, scope: Scope, narrow: Conditions, terms: Sequence[Term]
) -> Sequence[Term]:
    """Those ``MOST_TERMS`` of the words that stand in the fewest rows of the scope, or of as many of them as are looked at."""
    if len(terms) <= MOST_TERMS:
        return terms
    sample = f"SELECT {space.row}.words {scope.of(space.table, space.row)} AND {narrow.sql} LIMIT {MOST_COUNTED}"
    statement = f"""
    WITH sample AS MATERIALIZED ({sample})
    SELECT lexeme, count(*) AS found, (SELECT count(*) FROM sample) AS looked_at
      FROM sample, unnest(tsvector_to_array(words)) AS lexeme WHERE lexeme = ANY (%(lexemes)s::text[]) GROUP BY lexeme
    """  # noqa: S608 - put together from constants of this room; every value is a parameter
    values = {**scope.values, **narrow.values, "lexemes": [term.lexeme for term in terms]}
    counted = await rows(session, statement, values)
    found = {row.lexeme: row.found for row in counted}
    # Where not all was looked at, a word that was not seen is the rarest of all; a long one sooner stands anywhere.
    in_part = not counted or counted[0].looked_at >= MOST_COUNTED
    worth = [term for term in terms if in_part or term.lexeme in found]
    return sorted(worth, key=lambda term: (found.get(term.lexeme, 0), -len(term.lexeme)))[:MOST_TERMS]


def vector_text(vector: Sequence[float] | None) -> str | None:
    """A vector as pgvector reads it."""
    return None if vector is None else "[" + ",".join(f"{value:.6g}" for value in vector) + "]"


def raw_scores(words: float, cosine: float | None) -> dict[str, float]:
    """The ``scores`` of a candidate: ``words`` (BM25, 0 without a match) and, where it has a vector, ``vector`` (cosine)."""
    return {"words": words} if cosine is None else {"words": words, "vector": cosine}
