"""What is large, how its rows are made, and which indexes it ought to have; measured as the runtime's role."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.records import Json
from pagemind.store.driver import rows
from pagemind.store.express import as_json
from pagemind.store.spaces import SPACES, Kind, Space

SAMPLE = 30_000
SEEN = 3
"""A word, tag or source that is in fewer rows of the sample is rare."""
MOST_WORDS = 20_000
TIMES = 100
"""Into so many equal shares the rows are parted by their time."""
GROWTH = 1.2
"""A collection is surveyed again once it is so much larger, or smaller."""


PATIENCE_SECONDS = 600


@dataclass(frozen=True)
class Crossover:
    """From how many rows on a collection is searched by indexes.

    Measured, of a core's time: looking at every row costs some eight times as much over 10,000 passages as over 1,000; by the
    index of words it hardly grows. Exact cosines are 0.2 ms a thousand; an index of vectors is dearer to make and to keep.
    """

    words: int = 4_000
    vectors: int = 8_000
    most: int = 100
    """So many collections of a tenant have indexes, the largest: each statement on the table opens all of its indexes."""


@dataclass(frozen=True)
class Size:
    """A collection and how many rows of it a search may bring."""

    space: Space
    id: UUID
    rows: int


@dataclass(frozen=True)
class Standing:
    """A row of ``search_collections``."""

    id: UUID
    kind: Kind
    rows: int
    words_ready: bool
    models: Mapping[str, int]

    def is_stale(self, rows: int) -> bool:
        """Whether it was surveyed when it was of quite another size."""
        return not self.rows / GROWTH <= rows <= self.rows * GROWTH


async def inserted(session: AsyncSession) -> int:
    """How many rows were ever added to what is searched, by all tenants, as the server counts them: a hint, a second late."""
    tables = ", ".join(f"'{table}'" for space in SPACES for table in (space.table, space.vectors))
    statement = f"""
    SELECT coalesce(sum(pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid)), 0)::bigint AS total
      FROM pg_class WHERE relname IN ({tables}) AND relnamespace = 'public'::regnamespace"""  # noqa: S608 - constants
    return (await rows(session, statement, {}))[0].total


async def large(session: AsyncSession, crossover: Crossover, known: Collection[UUID]) -> list[Size]:
    """The collections from that size on, the largest first; one that is ``known`` as large stays so down to the half."""
    found: list[Size] = []
    for space in SPACES:
        alive = "JOIN archives a ON a.tenant_id = r.tenant_id AND a.id = r.archive_id AND a.deleted_at IS NULL"
        statement = f"""
        SELECT r.{space.collection} AS id, count(*) AS rows FROM {space.table} r {alive if space.kind == "passage" else ""}
         WHERE r.{space.searchable} GROUP BY r.{space.collection}
        HAVING count(*) >= CASE WHEN r.{space.collection} = ANY (%(known)s::uuid[]) THEN %(words)s / 2 ELSE %(words)s END
        """  # noqa: S608 - constants
        values = {"words": crossover.words, "known": list(known)}
        found += [Size(space, row.id, row.rows) for row in await rows(session, statement, values)]
    return sorted(found, key=lambda size: -size.rows)[: crossover.most]


async def standing(session: AsyncSession) -> dict[UUID, Standing]:
    """What the last survey found."""
    found = await rows(session, "SELECT id, kind, rows, words_ready, models FROM search_collections", {})
    return {row.id: Standing(row.id, row.kind, row.rows, row.words_ready, row.models) for row in found}


async def models_of(session: AsyncSession, size: Size, crossover: Crossover) -> dict[str, int]:
    """The embedding models of which the collection has so many vectors, with their dimensions."""
    statement = f"""
    SELECT m.model, (SELECT vector_dims(e.embedding) FROM {size.space.vectors} e
                      WHERE e.{size.space.collection} = %(id)s::uuid AND e.model = m.model LIMIT 1) AS dimensions
      FROM (SELECT model FROM {size.space.vectors} WHERE {size.space.collection} = %(id)s::uuid
             GROUP BY model HAVING count(*) >= %(least)s) AS m
    """  # noqa: S608 - constants
    return {row.model: row.dimensions for row in await rows(session, statement, {"id": size.id, "least": crossover.vectors})}


async def shares_of(session: AsyncSession, size: Size) -> Json:
    """How common words, tags, sources and times are in the collection, from a sample of its rows; see ``shares``."""
    space, fraction = size.space, min(1.0, SAMPLE / max(1, size.rows))
    await session.execute(text(f"SET LOCAL statement_timeout = '{PATIENCE_SECONDS}s'"))
    facets = {
        "passage": "SELECT 'tag:' || unnest(tags) UNION ALL VALUES ('source:' || source), ('origin:' || origin), "
        "('identity:' || identity_id)",
        "message": "VALUES ('role:' || role), ('identity:' || sender)",
    }[space.kind]
    columns = {"passage": "words, tags, source, origin, identity_id, created_at", "message": "words, role, sender, created_at"}
    statement = f"""
    WITH sample AS MATERIALIZED (
        SELECT {columns[space.kind]} FROM {space.table}
         WHERE {space.collection} = %(id)s::uuid AND {space.searchable}
           AND (%(fraction)s::float8 >= 1 OR random() < %(fraction)s)
    ), size AS MATERIALIZED (SELECT greatest(count(*), 1)::float8 AS rows, avg(length(words))::float8 AS mean FROM sample),
    words AS MATERIALIZED (
        SELECT lexeme, count(*) / (SELECT rows FROM size) AS share
          FROM sample, unnest(tsvector_to_array(words)) AS lexeme
         GROUP BY lexeme HAVING count(*) >= {SEEN} ORDER BY count(*) DESC LIMIT {MOST_WORDS}
    ), facets AS MATERIALIZED (
        SELECT facet, count(*) / (SELECT rows FROM size) AS share FROM sample CROSS JOIN LATERAL ({facets}) AS f (facet)
         WHERE facet IS NOT NULL GROUP BY facet HAVING count(*) >= {SEEN} ORDER BY count(*) DESC LIMIT {MOST_WORDS}
    )
    SELECT coalesce(s.mean, 1) AS mean_words,
           CASE WHEN (SELECT count(*) FROM words) < {MOST_WORDS} THEN {SEEN} / s.rows ELSE (SELECT min(share) FROM words) END
               AS least,
           coalesce((SELECT jsonb_object_agg(lexeme, round(share::numeric, 6)) FROM words), '{{}}') AS words,
           coalesce((SELECT jsonb_object_agg(facet, round(share::numeric, 6)) FROM facets), '{{}}') AS facets,
           coalesce((SELECT percentile_cont(ARRAY(SELECT n / {TIMES}::float8 FROM generate_series(0, {TIMES}) AS n))
                     WITHIN GROUP (ORDER BY extract(epoch FROM created_at)::float8) FROM sample), '{{}}') AS times
      FROM size s
    """  # noqa: S608 - constants
    [row] = await rows(session, statement, {"id": size.id, "fraction": fraction})
    return {name: getattr(row, name) for name in ("mean_words", "least", "words", "facets", "times")}


async def record(session: AsyncSession, tenant_id: UUID, size: Size, shares: Json) -> None:
    """Keep what the survey found; which indexes are ready stays as it was."""
    statement = """
    INSERT INTO search_collections (tenant_id, id, kind, rows, shares, words_ready, models, surveyed_at)
    VALUES (%(tenant)s, %(id)s, %(kind)s, %(rows)s, %(shares)s::jsonb, false, '{}', clock_timestamp())
    ON CONFLICT (tenant_id, id) DO UPDATE SET rows = excluded.rows, shares = excluded.shares, surveyed_at = excluded.surveyed_at
    RETURNING id"""
    values = {"tenant": tenant_id, "id": size.id, "kind": size.space.kind, "rows": size.rows, "shares": as_json(shares)}
    await rows(session, statement, values)


async def mark(session: AsyncSession, id: UUID, *, words_ready: bool, models: Mapping[str, int]) -> None:
    """Keep which indexes of the collection are complete."""
    statement = """
    UPDATE search_collections SET words_ready = %(words)s, models = %(models)s::jsonb WHERE id = %(id)s RETURNING id"""
    await rows(session, statement, {"id": id, "words": words_ready, "models": as_json(dict(models))})


async def forget(session: AsyncSession, ids: Sequence[UUID]) -> None:
    """These are not large any more, or not there."""
    await rows(session, "DELETE FROM search_collections WHERE id = ANY (%(ids)s::uuid[]) RETURNING id", {"ids": list(ids)})
