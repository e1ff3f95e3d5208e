"""The words of a query, as the database reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.store.driver import rows

LONGEST_QUERY_CHARS = 10_000
"""What stands behind it is not looked for."""

# The query's words, as written and as stems; those that English ignores are ignored as written, too. A word of another
# language that is as common as those is left to its rarity.
_TERMS = """
SELECT lexeme, lexeme = ANY (tsvector_to_array(stems)) AS stem
  FROM (SELECT to_tsvector('english', %(query)s) AS stems, to_tsvector('simple', %(query)s) AS written OFFSET 0) AS query,
       unnest(tsvector_to_array(written || stems)) AS lexeme
 WHERE lexeme = ANY (tsvector_to_array(stems)) OR numnode(plainto_tsquery('english', lexeme)) > 0
"""


@dataclass(frozen=True)
class Term:
    """A word of a query as it stands in a row's ``words``. ``stem``: it stands for the word's other forms, too."""

    lexeme: str
    stem: bool

    @property
    def query(self) -> str:
        """The tsquery that finds it."""
        escaped = self.lexeme.replace("\\", "\\\\").replace("'", "''")
        return f"'{escaped}'"


async def terms_of(session: AsyncSession, query: str) -> Sequence[Term]:
    """The words that are looked for; none where the query has only such as every text has."""
    if not query.strip():
        return []
    found = await rows(session, _TERMS, {"query": query[:LONGEST_QUERY_CHARS]})
    return [Term(row.lexeme, row.stem) for row in found]
