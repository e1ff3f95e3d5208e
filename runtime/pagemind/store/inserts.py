"""Passages in bulk: many of an archive by COPY, with their vectors; those that come one by one are `once`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from psycopg import AsyncConnection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.records import Passage
from pagemind.store.express import as_json
from pagemind.store.once import DIGEST, IN_FORCE

GIVEN = (
    "id", "text", "tags", "source", "origin", "extra", "created_at", "file_id", "confidence", "identity_id", "review_by",
    "expires_at",
)  # fmt: skip
"""What a passage is given with its insert; the rest the database computes, or it comes later."""

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
_KEEP = text(
    f"""
INSERT INTO passages (tenant_id, archive_id, evidence, {", ".join(GIVEN)})
SELECT CAST(:tenant AS uuid), CAST(:archive AS uuid), '{{}}', {AS_COPIED}
  FROM pg_temp.incoming_passages i
 WHERE i.digest IS NULL OR i.digest <> ALL (CAST(:known AS uuid[]))
 ORDER BY i.place
RETURNING id
"""  # noqa: S608 - constants of this module
)
_KEEP_VECTORS = text(
    """
INSERT INTO passage_embeddings (tenant_id, passage_id, model, archive_id, embedding)
SELECT CAST(:tenant AS uuid), i.id, :model, CAST(:archive AS uuid), i.vector
  FROM pg_temp.incoming_passages i WHERE i.vector IS NOT NULL AND i.id = ANY (CAST(:kept AS uuid[]))
"""
)
_DIGESTS = text(
    f"SELECT {DIGEST.format('given')} FROM unnest(CAST(:texts AS text[])) WITH ORDINALITY AS t (given, place) ORDER BY place"  # noqa: S608
)
# All at once: a look for each text is many looks at all of the archive where the planner takes another index for as good.
_KNOWN = text(
    f"""
SELECT DISTINCT p.digest FROM passages p
 WHERE p.tenant_id = CAST(:tenant AS uuid) AND p.archive_id = CAST(:archive AS uuid)
   AND p.digest = ANY (CAST(:digests AS uuid[])) AND {IN_FORCE}
"""  # noqa: S608 - constants
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


async def insert_many(session: AsyncSession, tenant_id: UUID, archive_id: UUID, passages: Sequence[Passage]) -> None:
    """Store the passages in the archive. Their vectors follow."""
    await _copy(session, passages, [None] * len(passages), [None] * len(passages))
    await session.execute(_KEEP, {"tenant": tenant_id, "archive": archive_id, "known": []})


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
    known = await _known(session, tenant_id, archive_id, digests)
    kept = [*(await session.execute(_KEEP, {**of_archive, "known": list(known)})).scalars()]
    # Two statements: what each table's triggers do comes in this order.
    await session.execute(_KEEP_VECTORS, {**of_archive, "model": vectors.model, "kept": kept})
    return len(kept)


async def seen(session: AsyncSession, tenant_id: UUID, archive_id: UUID, texts: Sequence[str]) -> list[Seen]:
    """The texts' digests, and whether a passage in force of the archive has them already."""
    digests = [*(await session.execute(_DIGESTS, {"texts": list(texts)})).scalars()]
    known = await _known(session, tenant_id, archive_id, digests)
    return [Seen(digest, digest in known) for digest in digests]


def packed(vector: Sequence[float]) -> bytes:
    """The vector as ``halfvec_recv`` reads it: its length and an unused word, 16 bits each, then halves; high bytes first."""
    return struct.pack(f">HH{len(vector)}e", len(vector), 0, *vector)


async def _known(session: AsyncSession, tenant_id: UUID, archive_id: UUID, digests: Sequence[UUID]) -> set[UUID]:
    """Those of the digests that a passage in force of the archive has."""
    values = {"tenant": tenant_id, "archive": archive_id, "digests": list(digests)}
    return {*(await session.execute(_KNOWN, values)).scalars()}


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
