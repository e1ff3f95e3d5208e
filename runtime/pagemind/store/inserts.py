"""Passages in bulk: many of an archive by COPY, with their vectors; and single ones of any agents that come together."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from psycopg import AsyncConnection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.records import Json, Passage
from pagemind.store.database import Database
from pagemind.store.express import Hot, as_json

GIVEN = (
    "id", "text", "tags", "source", "origin", "extra", "created_at", "file_id", "confidence", "identity_id", "review_by",
    "expires_at",
)  # fmt: skip
"""What a passage is given with its insert; the rest the database computes, or it comes later."""
COLUMNS = (
    f"archive_id, evidence, {', '.join(GIVEN)}",
    """{archive}, '{{}}', (e.given->>'id')::uuid, e.given->>'text',
       ARRAY(SELECT tag FROM jsonb_array_elements_text(e.given->'tags') WITH ORDINALITY AS t (tag, place) ORDER BY place),
       e.given->>'source', e.given->>'origin', e.given->'extra', (e.given->>'created_at')::timestamptz,
       (e.given->>'file_id')::uuid, (e.given->>'confidence')::float8, (e.given->>'identity_id')::uuid,
       (e.given->>'review_by')::timestamptz, (e.given->>'expires_at')::timestamptz""",
)
ARCHIVE_OF = """
    SELECT aa.archive_id FROM agent_archives aa
     WHERE aa.tenant_id = a.tenant_id AND aa.agent_id = a.id ORDER BY aa.position, aa.archive_id LIMIT 1"""

# An agent that has no archive yet has a row without one: nothing was inserted then.
_OF_AGENTS = Hot(
    "pagemind_insert_passage",
    f"""
WITH e AS (
    SELECT each.place, each.given, a.tenant_id, ({ARCHIVE_OF}) AS archive_id
      FROM jsonb_array_elements($1) WITH ORDINALITY AS each (given, place)
      JOIN agents a ON a.id = (each.given->>'agent_id')::uuid AND a.deleted_at IS NULL
), kept AS (
    INSERT INTO passages (tenant_id, {COLUMNS[0]})
    SELECT e.tenant_id, {COLUMNS[1].format(archive="e.archive_id")} FROM e WHERE e.archive_id IS NOT NULL
)
SELECT e.place::integer, e.archive_id FROM e
""",  # noqa: S608 - constants of this module
)

# COPY does not write to tables under row-level security, so it fills a table of the session's own, empty at each commit;
# from there the rows go on in one statement, under the tenant's policy.
_INCOMING = """
SET LOCAL client_min_messages = warning;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_passages (
    place integer, id uuid, text text, tags text[], source text, origin text, extra text, created_at timestamptz, file_id uuid,
    confidence float8, identity_id uuid, review_by timestamptz, expires_at timestamptz, digest uuid, vector halfvec
) ON COMMIT DELETE ROWS;
TRUNCATE pg_temp.incoming_passages
"""
_COPY = "COPY pg_temp.incoming_passages FROM STDIN (FORMAT BINARY)"
_COPY_TYPES = (
    "int4", "uuid", "text", "text[]", "text", "text", "text", "timestamptz", "uuid", "float8", "uuid", "timestamptz",
    "timestamptz", "uuid", "bytea",
)  # fmt: skip
"""A vector goes as the bytes that ``halfvec_recv`` reads; the types of the others are their columns'."""
AS_COPIED = ", ".join("i.extra::jsonb" if name == "extra" else f"i.{name}" for name in GIVEN)
IN_FORCE = """
    SELECT FROM passages p WHERE p.tenant_id = CAST(:tenant AS uuid) AND p.archive_id = CAST(:archive AS uuid)
       AND p.digest = i.digest AND p.superseded_at IS NULL AND (p.expires_at IS NULL OR p.expires_at > now())"""
_KEEP = text(
    f"""
INSERT INTO passages (tenant_id, archive_id, evidence, {", ".join(GIVEN)})
SELECT CAST(:tenant AS uuid), CAST(:archive AS uuid), '{{}}', {AS_COPIED}
  FROM pg_temp.incoming_passages i
 WHERE i.digest IS NULL OR NOT EXISTS ({IN_FORCE})
 ORDER BY i.place
RETURNING id
"""  # noqa: S608 - constants of this module
)
_KEEP_VECTORS = text(
    """
INSERT INTO passage_embeddings (tenant_id, passage_id, model, archive_id, embedding)
SELECT p.tenant_id, p.id, :model, p.archive_id, i.vector
  FROM pg_temp.incoming_passages i JOIN passages p ON p.tenant_id = CAST(:tenant AS uuid) AND p.id = i.id
 WHERE i.vector IS NOT NULL
"""
)
_SEEN = text(
    f"""
SELECT i.digest, EXISTS ({IN_FORCE}) AS known
  FROM (SELECT place, md5(lower(regexp_replace(btrim(given), '\\s+', ' ', 'g')))::uuid AS digest
          FROM unnest(CAST(:texts AS text[])) WITH ORDINALITY AS t (given, place)) AS i
 ORDER BY i.place
"""  # noqa: S608 - constants of this module
)


@dataclass(frozen=True)
class Seen:
    """A text as the archive knows it: the digest that ``passages.digest`` has, and whether a passage in force has it."""

    digest: UUID
    known: bool


@dataclass(frozen=True)
class Vectors:
    """The vectors of passages by a model, one each, as ``packed`` makes them; None for one that is to come later."""

    model: str
    rows: Sequence[bytes | None]


async def insert_for_agent(database: Database, agent_id: UUID, passage: Passage) -> UUID | None:
    """Store the passage in the archive that the agent writes to, in one round trip; that archive's id.

    None, and nothing stored, where there is no such agent or it has no archive yet.
    """
    row = await database.express.send(_OF_AGENTS, passage.tenant_id, str(passage.id), {**given(passage), "agent_id": agent_id})
    return None if row is None else row[1]


async def insert_many(session: AsyncSession, tenant_id: UUID, archive_id: UUID, passages: Sequence[Passage]) -> None:
    """Store the passages in the archive. Their vectors follow."""
    await _copy(session, passages, [None] * len(passages), [None] * len(passages))
    await session.execute(_KEEP, {"tenant": tenant_id, "archive": archive_id})


async def insert_new(
    session: AsyncSession,
    tenant_id: UUID,
    archive_id: UUID,
    passages: Sequence[Passage],
    digests: Sequence[UUID],
    vectors: Vectors,
) -> int:
    """Store those of the passages whose digest no passage in force of the archive has, with their vectors; how many.

    No two of ``digests`` may be equal, and the archive must be locked, so that no other import stores the same meanwhile.
    """
    await _copy(session, passages, digests, vectors.rows)
    of_archive = {"tenant": tenant_id, "archive": archive_id}
    kept = (await session.execute(_KEEP, of_archive)).all()
    # Two statements: what each table's triggers do comes in this order.
    await session.execute(_KEEP_VECTORS, {"tenant": tenant_id, "model": vectors.model})
    return len(kept)


async def seen(session: AsyncSession, tenant_id: UUID, archive_id: UUID, texts: Sequence[str]) -> list[Seen]:
    """The texts' digests, and whether a passage in force of the archive has them already."""
    values = {"tenant": tenant_id, "archive": archive_id, "texts": list(texts)}
    return [Seen(row.digest, row.known) for row in await session.execute(_SEEN, values)]


def packed(vector: Sequence[float]) -> bytes:
    """The vector as ``halfvec_recv`` reads it: its length and an unused word, 16 bits each, then halves; high bytes first."""
    return struct.pack(f">HH{len(vector)}e", len(vector), 0, *vector)


def given(passage: Passage) -> Json:
    """The passage as the statement of single ones takes it."""
    return passage.model_dump(mode="json", include=set(GIVEN))


async def _copy(
    session: AsyncSession, passages: Sequence[Passage], digests: Sequence[UUID | None], vectors: Sequence[bytes | None]
) -> None:
    """Fill the table of incoming passages with these alone."""
    raw = await (await session.connection()).get_raw_connection()
    driver = cast("AsyncConnection[Any]", raw.driver_connection)
    await driver.execute(_INCOMING)
    async with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_COPY_TYPES)
        for place, (passage, digest, vector) in enumerate(zip(passages, digests, vectors, strict=True)):
            await copy.write_row((place, *_row(passage), digest, vector))


def _row(passage: Passage) -> tuple[object, ...]:
    """The columns of ``GIVEN``."""
    return (
        passage.id,
        passage.text,
        passage.tags,
        passage.source,
        str(passage.origin),
        as_json(passage.extra),
        passage.created_at,
        passage.file_id,
        passage.confidence,
        passage.identity_id,
        passage.review_by,
        passage.expires_at,
    )
