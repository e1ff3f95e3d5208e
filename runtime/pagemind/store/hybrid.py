"""Search by words and by meaning in one statement: both raw scores of the best candidates, to be fused elsewhere.

Words are scored by BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75) over the rows in scope, computed from their
``words`` vectors; meaning by the exact cosine. PostgreSQL's own ``ts_rank`` knows nothing of how rare a word is, and rare
words are what finds a message.

The scope (a conversation's messages, an agent's archives) is narrowed first: under row-level security no full-text index is
used, as its operator is not leakproof, so the rows in scope are what a search costs. Common words do not widen the
candidates: only the ``TERMS`` rarest words of a query count, and how often a word stands in a row is looked up only for words
that are in at most ``COUNTED`` rows or a tenth of them. Measured on two busy cores: 10 ms over 700 messages, 80 ms over 10,000.
"""

from __future__ import annotations

from collections.abc import Sequence

TERMS = 12
COUNTED = 500
K1 = 1.2
B = 0.75

# The query's words, as written and as stems; those that English ignores are ignored as written, too. A word of another
# language that is as common as those is left to its rarity.
_TERMS = """
    SELECT lexeme, ('''' || replace(replace(lexeme, '\\', '\\\\'), '''', '''''') || '''')::tsquery AS query
      FROM unnest(to_tsvector('simple', %(query)s) || to_tsvector('english', %(query)s)) AS word (lexeme, positions, weights)
     WHERE lexeme = ANY (tsvector_to_array(to_tsvector('english', %(query)s)))
        OR numnode(plainto_tsquery('english', lexeme)) > 0
"""


def hybrid(scope: str, result: str) -> str:
    """The statement for a ``scope`` of rows ``(id, words, cosine)`` and a ``result`` to select from ``best b``.

    ``best`` has ``id, words, cosine``: the union of the ``pool`` best by each score, ``words`` 0 without a match and
    ``cosine`` NULL without a vector. Parameters: ``query``, ``pool``, and those of ``scope``.
    """
    return f"""
WITH scope AS MATERIALIZED ({scope}),
extent AS MATERIALIZED (SELECT count(*)::float8 AS rows, greatest(avg(length(words)), 1)::float8 AS mean FROM scope),
terms AS MATERIALIZED ({_TERMS}),
counted AS MATERIALIZED (
    SELECT t.lexeme, t.query, count(*)::float8 AS found FROM scope s JOIN terms t ON s.words @@ t.query
     GROUP BY t.lexeme, t.query ORDER BY found LIMIT {TERMS}
),
scored AS (
    SELECT s.id, sum(ln(1 + (e.rows - c.found + 0.5) / (c.found + 0.5)) * times.n * ({K1} + 1)
                     / (times.n + {K1} * (1 - {B} + {B} * length(s.words) / e.mean))) AS words
      FROM counted c JOIN scope s ON s.words @@ c.query CROSS JOIN extent e
     CROSS JOIN LATERAL (SELECT coalesce(max(cardinality(u.positions)), 1) AS n
                           FROM unnest(s.words) AS u (lexeme, positions, weights)
                          WHERE c.found <= greatest(e.rows / 10, {COUNTED}) AND u.lexeme = c.lexeme) AS times
     GROUP BY s.id
),
signals AS (
    SELECT id, max(words) AS words, max(cosine) AS cosine
      FROM (SELECT id, 0::float8 AS words, cosine FROM scope UNION ALL SELECT id, words, NULL FROM scored) AS each
     GROUP BY id
),
placed AS (
    SELECT id, words, cosine, row_number() OVER (ORDER BY words DESC) AS by_words,
           row_number() OVER (ORDER BY cosine DESC NULLS LAST) AS by_meaning
      FROM signals
),
best AS (
    SELECT id, words, cosine FROM placed
     WHERE (words > 0 AND by_words <= %(pool)s) OR (cosine IS NOT NULL AND by_meaning <= %(pool)s)
)
{result}
"""  # noqa: S608 - put together from constants of this room; every value is a parameter


def vector_text(vector: Sequence[float] | None) -> str | None:
    """A vector as pgvector reads it."""
    return None if vector is None else "[" + ",".join(f"{value:.6g}" for value in vector) + "]"


def raw_scores(words: float, cosine: float | None) -> dict[str, float]:
    """The ``scores`` of a candidate: ``words`` (BM25, 0 without a match) and, where it has a vector, ``vector`` (cosine)."""
    return {"words": words} if cosine is None else {"words": words, "vector": cosine}
