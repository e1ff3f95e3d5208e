"""The neighbours of messages that a search found: an answer rarely has its question's words, and stands beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.records import Json
from pagemind.store.driver import rows
from pagemind.store.hybrid import places, score, term_values
from pagemind.store.narrowing import Conditions
from pagemind.store.search import Wanted

REACH = 3
"""So far before and after a message its neighbours are named."""


def beside(row: str, narrow: str, *, before: bool, limit: int) -> str:
    """The ids of the messages next to ``row`` that the conditions let through, the nearest first."""
    sign, order = ("<", "DESC") if before else (">", "ASC")
    return f"""
        SELECT m.id FROM messages m
         WHERE m.tenant_id = {row}.tenant_id AND m.conversation_id = {row}.conversation_id
           AND m.seq {sign} {row}.seq AND {narrow}
         ORDER BY m.seq {order} LIMIT {limit}"""  # noqa: S608 - constants of this room; every value is a parameter


def around(narrow: str, hit: str, joins: str, *, terms: int, by_meaning: bool) -> str:
    """The statement: of all ``known`` and of the messages next to the ``seeds`` their neighbours' ids; of the latter also what
    ``hit`` selects from ``joins``, ``by_words`` (BM25 by the weights ``w1``, ... and the mean length of a scope) and
    ``cosine``."""
    weighed = score(terms, "%(w{n})s::float8", "u.n{n}", "u.size", "%(mean)s::float8")
    counted = "".join(f", {places(f'%(q{n})s::tsquery', 'm.words')} AS n{n}" for n in range(1, terms + 1))
    cosine = "1 - (e.embedding <=> %(vector)s::halfvec)" if by_meaning else "NULL::float8"
    vectors = "LEFT JOIN message_embeddings e ON e.tenant_id = m.tenant_id AND e.message_id = m.id AND e.model = %(model)s"
    return f"""
WITH known AS MATERIALIZED (
    SELECT m.id, m.tenant_id, m.conversation_id, m.seq, m.id = ANY (%(seeds)s::uuid[]) AS seed, false AS fresh
      FROM messages m WHERE m.id = ANY (%(known)s::uuid[])
), next AS MATERIALIZED (
    SELECT DISTINCT n.id FROM known k CROSS JOIN LATERAL (
        ({beside("k", narrow, before=True, limit=1)}) UNION ALL ({beside("k", narrow, before=False, limit=1)})) n
     WHERE k.seed AND n.id <> ALL (%(known)s::uuid[])
), everyone AS MATERIALIZED (
    SELECT id, tenant_id, conversation_id, seq, fresh FROM known
    UNION ALL SELECT m.id, m.tenant_id, m.conversation_id, m.seq, true FROM next n JOIN messages m ON m.id = n.id
), hits AS (
    SELECT {hit}, {weighed} AS by_words, u.cosine
      FROM next n JOIN messages m ON m.id = n.id {joins} {vectors if by_meaning else ""}
     CROSS JOIN LATERAL (SELECT length(m.words)::float8 AS size, {cosine} AS cosine{counted} OFFSET 0) u
)
SELECT a.id AS of, a.fresh, h.*,
       ARRAY({beside("a", narrow, before=True, limit=REACH)}) AS earlier,
       ARRAY({beside("a", narrow, before=False, limit=REACH)}) AS later
  FROM everyone a LEFT JOIN hits h ON h.id = a.id
"""  # noqa: S608 - constants of this room; every value is a parameter


async def neighbours(
    session: AsyncSession,
    narrow: Conditions,
    wanted: Wanted,
    extent: Mapping[str, float],
    known: Collection[UUID],
    seeds: Sequence[UUID],
    *,
    hit: str,
    joins: str,
) -> Sequence[Row[Any]]:
    """Of each known message its neighbours ``earlier`` and ``later``, the nearest first, and the messages next to the seeds.

    ``extent`` has the weight of each of the terms (``w1``, ...) and the ``mean`` length of the scope that they were found in.
    """
    count, queries = term_values(wanted.query.terms)
    weights: Json = {f"w{n}": extent.get(f"w{n}", 0.0) for n in range(1, count + 1)}
    statement = around(narrow.sql, hit, joins, terms=count, by_meaning=wanted.by_meaning)
    values = {**narrow.values, **queries, **weights, **wanted.values, "mean": extent["mean"], "known": list(known)}
    return await rows(session, statement, {**values, "seeds": list(seeds)})
