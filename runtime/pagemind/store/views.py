"""The views, each read in one round trip."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from pagemind.errors import LeaseLost, UnknownRecord
from pagemind.records import Agent, Block, Conversation, Message, Run, Step, StoredTool, ToolCall
from pagemind.records.base import record_of
from pagemind.records.view import Resident, Versions, View
from pagemind.store.shelves import as_shelves, shelves_sql


def _object(model: type[SQLModel], alias: str) -> str:
    """The model's columns as one JSON object; columns that only the table has (its indexes' own) stay where they are."""
    pairs = ", ".join(f"'{name}', {alias}.{name}" for name in model.model_fields)
    return f"json_build_object({pairs})"


# The versions of the blocks in the window of agent ``a``, as one text, and the archive that it writes to.
BLOCKS_AT = """(
    SELECT string_agg(concat_ws(' ', b.id, b.xmin, ab.xmin), ',' ORDER BY ab.position, b.label)
      FROM agent_blocks ab
     CROSS JOIN LATERAL (SELECT b.id, b.label, b.xmin FROM blocks b
                          WHERE b.tenant_id = ab.tenant_id AND b.id = ab.block_id OFFSET 0) b
     WHERE ab.agent_id = a.id)"""
ARCHIVE_ID = "SELECT aa.archive_id FROM agent_archives aa WHERE aa.agent_id = a.id ORDER BY aa.position LIMIT 1"

_RESIDENT = f"""
    a.xmin::text AS agent_at, c.xmin::text AS conversation_at, {BLOCKS_AT} AS blocks_at,
    {_object(Agent, "a")} AS agent,
    {_object(Conversation, "c")} AS conversation,
    (SELECT json_agg({_object(Block, "b")} ORDER BY ab.position, b.label)
       FROM agent_blocks ab JOIN blocks b ON b.tenant_id = ab.tenant_id AND b.id = ab.block_id
      WHERE ab.agent_id = a.id) AS blocks,
    (SELECT json_agg({_object(Message, "m")} ORDER BY m.seq)
       FROM messages m
      WHERE m.conversation_id = c.id AND m.seq >= c.resident_from AND m.role <> 'approval') AS messages,
    ({ARCHIVE_ID}) AS archive_id,
    CASE WHEN a.files_revision > 0 THEN ({shelves_sql()}) END AS shelves,
    (SELECT json_agg({_object(StoredTool, "t")}) FROM tools t WHERE t.name = ANY (a.tools)) AS stored_tools
"""  # noqa: S608 - names come from the models alone; the only values are bound parameters

_OF_CONVERSATION = text(
    f"""
    SELECT {_RESIDENT}
      FROM conversations c JOIN agents a ON a.tenant_id = c.tenant_id AND a.id = c.agent_id
     WHERE c.id = :conversation_id
    """  # noqa: S608
)

_OF_RUN = text(
    f"""
    SELECT {_RESIDENT},
           {_object(Run, "r")} AS run,
           (SELECT {_object(Step, "s")} FROM steps s
             WHERE s.run_id = r.id AND s.state = 'acting') AS acting,
           (SELECT json_agg({_object(ToolCall, "t")} ORDER BY t.index)
              FROM tool_calls t JOIN steps s ON s.tenant_id = t.tenant_id AND s.id = t.step_id
             WHERE t.run_id = r.id AND s.state = 'acting') AS recorded
      FROM runs r
      JOIN conversations c ON c.tenant_id = r.tenant_id AND c.id = r.conversation_id
      JOIN agents a ON a.tenant_id = r.tenant_id AND a.id = r.agent_id
     WHERE r.id = :run_id
    """  # noqa: S608
)


async def of_conversation(session: AsyncSession, conversation_id: UUID) -> Resident:
    """What stands in the window of the conversation; UnknownRecord if there is none."""
    row = (await session.execute(_OF_CONVERSATION, {"conversation_id": conversation_id})).mappings().one_or_none()
    if row is None:
        raise UnknownRecord(kind="conversation", id=str(conversation_id))
    return Resident(**_resident(row))


async def of_run(session: AsyncSession, run_id: UUID, epoch: int) -> View:
    """What the next step of the run sees; LeaseLost if the run's lease epoch is not ``epoch`` any more."""
    row = (await session.execute(_OF_RUN, {"run_id": run_id})).mappings().one_or_none()
    if row is None:
        raise UnknownRecord(kind="run", id=str(run_id))
    run = record_of(Run, row["run"])
    if run.epoch != epoch or run.state != "running":
        raise LeaseLost(f"run {run_id} is {run.state} in epoch {run.epoch}, not {epoch}")
    return View(
        **_resident(row),
        run=run,
        acting=record_of(Step, row["acting"]) if row["acting"] else None,
        recorded=tuple(record_of(ToolCall, call) for call in row["recorded"] or ()),
    )


def _resident(row: RowMapping) -> dict[str, Any]:
    return {
        "agent": record_of(Agent, row["agent"]),
        "conversation": record_of(Conversation, row["conversation"]),
        "blocks": tuple(record_of(Block, block) for block in row["blocks"] or ()),
        "messages": tuple(record_of(Message, message) for message in row["messages"] or ()),
        "archive_id": row["archive_id"],
        "shelves": as_shelves(row["shelves"]),
        "stored_tools": tuple(record_of(StoredTool, tool) for tool in row["stored_tools"] or ()),
        "versions": Versions(row["agent_at"], row["conversation_at"], tuple(filter(None, (row["blocks_at"] or "").split(",")))),
    }
