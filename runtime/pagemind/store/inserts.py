"""Passages in bulk: many of an archive in one statement, and single ones of any agents that come at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.records import Json, Passage
from pagemind.store.database import Database
from pagemind.store.express import Hot, as_json

COLUMNS = (
    "id, archive_id, text, tags, source, evidence, file_id, extra, created_at",
    """(e.given->>'id')::uuid, {archive}, e.given->>'text',
       ARRAY(SELECT tag FROM jsonb_array_elements_text(e.given->'tags') WITH ORDINALITY AS t (tag, place) ORDER BY place),
       e.given->>'source', '{{}}', (e.given->>'file_id')::uuid, e.given->'extra', (e.given->>'created_at')::timestamptz""",
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
_OF_ARCHIVE = text(
    f"""
INSERT INTO passages (tenant_id, {COLUMNS[0]})
SELECT CAST(:tenant AS uuid), {COLUMNS[1].format(archive="CAST(:archive AS uuid)")}
  FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS e (given)
"""  # noqa: S608 - constants of this module
)


async def insert_for_agent(database: Database, agent_id: UUID, passage: Passage) -> UUID | None:
    """Store the passage in the archive that the agent writes to, in one round trip; that archive's id.

    None, and nothing stored, where there is no such agent or it has no archive yet.
    """
    row = await database.express.send(_OF_AGENTS, passage.tenant_id, str(passage.id), {**given(passage), "agent_id": agent_id})
    return None if row is None else row[1]


async def insert_many(session: AsyncSession, tenant_id: UUID, archive_id: UUID, passages: Sequence[Passage]) -> None:
    """Store the passages in the archive, in one statement."""
    rows = as_json([given(passage) for passage in passages])
    await session.execute(_OF_ARCHIVE, {"tenant": tenant_id, "archive": archive_id, "rows": rows})


def given(passage: Passage) -> Json:
    """The passage as the statements take it."""
    return passage.model_dump(mode="json", include={"id", "text", "tags", "source", "file_id", "extra", "created_at"})
