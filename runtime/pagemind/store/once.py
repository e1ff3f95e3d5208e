"""Passages that are stored by hand: an archive holds the same memory once, however many store it at a time.

The same memory has the same gist, or the same text but for case and white space. A unique index on the gist decides between
those that store it at the same time; what was imported has none, and is known by its text. Where a memory stands already, what
the new one says of it (tags, trust, how long it is good) is laid upon that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.records import Json, Passage
from pagemind.store.database import Database
from pagemind.store.express import Hot, as_json

ARCHIVE_OF = """
    SELECT aa.archive_id FROM agent_archives aa
     WHERE aa.tenant_id = a.tenant_id AND aa.agent_id = a.id ORDER BY aa.position, aa.archive_id LIMIT 1"""
IN_FORCE = "p.superseded_at IS NULL AND (p.expires_at IS NULL OR p.expires_at > now())"
DIGEST = "md5(lower(regexp_replace(btrim({0}), '\\s+', ' ', 'g')))::uuid"
"""As ``passages.digest`` has it."""
COLUMNS = [name for name in Passage.model_fields if name not in ("tenant_id", "archive_id")]
SET_ASIDE = "(tenant_id, archive_id, gist) WHERE superseded_at IS NULL AND gist IS NOT NULL DO NOTHING"


def standing(archive: str, gist: str, said: str) -> str:
    """The passage in force of that archive that says the same, as ``p``: an expression for each."""
    return f"""
    SELECT each.* FROM (
        (SELECT p.* FROM passages p WHERE p.archive_id = {archive} AND p.gist = {gist} AND {IN_FORCE} LIMIT 1)
        UNION ALL
        (SELECT p.* FROM passages p WHERE p.archive_id = {archive} AND p.digest = {DIGEST.format(said)} AND p.file_id IS NULL
            AND {IN_FORCE} LIMIT 1)
    ) AS each LIMIT 1"""  # noqa: S608 - expressions of this module


def merged(new: str) -> str:
    """The assignments that lay what ``new``, a passage, says of a memory upon the one that stands, ``p``."""
    return f"""
       tags = ARRAY(SELECT tag FROM unnest(p.tags || {new}.tags) WITH ORDINALITY AS t (tag, place)
                     GROUP BY tag ORDER BY min(place)),
       origin = CASE WHEN {new}.origin = 'stated' THEN {new}.origin ELSE p.origin END,
       confidence = coalesce({new}.confidence, p.confidence),
       identity_id = coalesce(p.identity_id, {new}.identity_id),
       review_by = CASE WHEN {new}.origin = 'inferred' THEN p.review_by ELSE coalesce({new}.review_by, p.review_by) END,
       expires_at = CASE WHEN p.expires_at IS NULL THEN NULL ELSE greatest(p.expires_at, {new}.expires_at) END,
       refreshed_at = now()"""  # noqa: S608 - expressions of this module


_FIND = Hot(
    "pagemind_find_passage",
    f"""
SELECT e.place::integer, s.id, s.text, s.created_at
  FROM jsonb_array_elements($1) WITH ORDINALITY AS e (given, place)
 CROSS JOIN LATERAL ({standing("(e.given->>'archive_id')::uuid", "(e.given->>'gist')::uuid", "(e.given->>'text')")}) AS s
""",  # noqa: S608 - constants of this module
)


def _later(key: str) -> str:
    """The time that is given under ``key``, else that of the agent's definition for a new passage of that origin."""
    section = {"expires_at": "expires_after_days", "review_by": "review_after_days"}[key]
    days = f"(a.memory #>> ARRAY['search', '{section}', each.given->>'origin'])::float8"
    return f"coalesce((each.given->>'{key}')::timestamptz, now() + {days} * interval '1 day')"


# An agent that has no archive yet has a row without one: nothing was stored then.
_OF_AGENT = Hot(
    "pagemind_store_once",
    f"""
WITH e AS MATERIALIZED (
    SELECT each.place, a.tenant_id, ({ARCHIVE_OF}) AS archive_id, each.given
           || jsonb_build_object('expires_at', {_later("expires_at")}, 'review_by', {_later("review_by")}) AS given
      FROM jsonb_array_elements($1) WITH ORDINALITY AS each (given, place)
      JOIN agents a ON a.id = (each.given->>'agent_id')::uuid AND a.deleted_at IS NULL
), known AS MATERIALIZED (
    SELECT e.place, s.id FROM e
     CROSS JOIN LATERAL ({standing("e.archive_id", "(e.given->>'gist')::uuid", "(e.given->>'text')")}) AS s
), told AS (
    UPDATE passages p SET {merged("n")}
      FROM known k JOIN e ON e.place = k.place CROSS JOIN LATERAL jsonb_populate_record(NULL::passages, e.given) AS n
     WHERE p.id = ANY (ARRAY(SELECT id FROM known)) AND p.tenant_id = e.tenant_id AND p.id = k.id
), kept AS (
    INSERT INTO passages (tenant_id, archive_id, {", ".join(COLUMNS)})
    SELECT e.tenant_id, e.archive_id, {", ".join(f"n.{name}" for name in COLUMNS)}
      FROM e LEFT JOIN known k ON k.place = e.place CROSS JOIN LATERAL jsonb_populate_record(NULL::passages, e.given) AS n
     WHERE e.archive_id IS NOT NULL AND k.id IS NULL
    ON CONFLICT {SET_ASIDE}
    RETURNING id, expires_at, review_by
)
SELECT e.place::integer, e.archive_id, coalesce(k.id, kept.id), kept.expires_at, kept.review_by
  FROM e LEFT JOIN known k ON k.place = e.place LEFT JOIN kept ON kept.id = (e.given->>'id')::uuid
""",  # noqa: S608 - constants of this module
)
_GIVEN = "jsonb_populate_recordset(NULL::passages, CAST(:rows AS jsonb)) AS n"
_INSERT = text(
    f"""
INSERT INTO passages (tenant_id, archive_id, {", ".join(COLUMNS)})
SELECT n.tenant_id, n.archive_id, {", ".join(f"n.{name}" for name in COLUMNS)} FROM {_GIVEN}
 WHERE NOT EXISTS ({standing("n.archive_id", "NULL::uuid", "n.text")})
 ORDER BY n.gist, n.created_at
ON CONFLICT {SET_ASIDE}
RETURNING id
"""  # noqa: S608 - constants of this module
)
_RETIRE = text(
    f"""
UPDATE passages p SET superseded_at = now() FROM {_GIVEN}
 WHERE p.tenant_id = n.tenant_id AND p.archive_id = n.archive_id AND p.gist = n.gist
   AND p.superseded_at IS NULL AND p.expires_at <= now()
"""  # noqa: S608 - constants of this module
)
_KNOWN = text(
    f"""
SELECT n.id AS given, s.id FROM {_GIVEN} CROSS JOIN LATERAL ({standing("n.archive_id", "n.gist", "n.text")}) AS s
"""  # noqa: S608 - constants of this module
)
_MERGE = text(
    f"""
UPDATE passages p SET {merged("n")} FROM {_GIVEN} WHERE p.tenant_id = n.tenant_id AND p.id = n.id
"""  # noqa: S608 - constants of this module
)


@dataclass(frozen=True)
class Twin:
    """A passage in force that says the same."""

    id: UUID
    text: str
    created_at: datetime


@dataclass(frozen=True)
class Placed:
    """Where a passage went, or which one stands in its place; None where there is another way to go."""

    archive_id: UUID | None
    id: UUID | None
    expires_at: datetime | None
    review_by: datetime | None


async def twin_of(database: Database, passage: Passage) -> Twin | None:
    """The passage in force of the same archive that says the same, in one round trip."""
    row = await database.express.send(_FIND, passage.tenant_id, str(passage.id), given(passage))
    return None if row is None else Twin(*row[1:])


async def store_for_agent(database: Database, agent_id: UUID, passage: Passage) -> Placed | None:
    """Store the passage in the archive that the agent writes to, unless it stands there already, in one round trip.

    What the agent's definition says of how long it is good is filled in. None where there is no such agent. It has no
    ``id``, and is not stored, where the agent has no archive yet or another took its place: `insert_once` does it then.
    """
    # Of one key there is at most one in a message: those that say the same come one after the other.
    key = str(passage.gist or passage.id)
    row = await database.express.send(_OF_AGENT, passage.tenant_id, key, {**given(passage), "agent_id": agent_id})
    return None if row is None else Placed(*row[1:])


async def insert_once(session: AsyncSession, passages: Sequence[Passage]) -> dict[UUID, UUID]:
    """Store those that do not stand in their archive yet; of each of the others its id -> that of the one that stands.

    It waits for whoever stores the same at this moment. What stands is left as it is: see `merge`.
    """
    if not passages:
        return {}
    left = await _insert(session, passages)
    if not left:
        return {}
    known = await _known(session, left)
    expired = [each for each in left if each.id not in known]
    if expired:
        await session.execute(_RETIRE, {"rows": rows(expired)})
        known |= await _known(session, await _insert(session, expired))
    return known


async def merge(session: AsyncSession, told: Mapping[UUID, Passage]) -> None:
    """Lay what each passage says of its memory upon the one that stands, whose id it is under."""
    if told:
        given_rows = [{**given(passage), "id": passage_id} for passage_id, passage in told.items()]
        await session.execute(_MERGE, {"rows": as_json(given_rows)})


def joined(before: Passage | None, passage: Passage) -> Passage:
    """The passage, with the tags of one that said the same before it."""
    return passage if before is None else passage.model_copy(update={"tags": [*before.tags, *passage.tags]})


def given(passage: Passage) -> Json:
    """The passage as the statements take it."""
    return passage.model_dump(mode="json")


def rows(passages: Sequence[Passage]) -> str:
    """The passages as the statements take them."""
    return as_json([given(passage) for passage in passages])


async def _insert(session: AsyncSession, passages: Sequence[Passage]) -> list[Passage]:
    """Store those that do not stand; the others."""
    kept = set((await session.execute(_INSERT, {"rows": rows(passages)})).scalars())
    return [each for each in passages if each.id not in kept]


async def _known(session: AsyncSession, passages: Sequence[Passage]) -> dict[UUID, UUID]:
    """The id of each -> that of the one that stands."""
    found = await session.execute(_KNOWN, {"rows": rows(passages)}) if passages else ()
    return {row.given: row.id for row in found}
