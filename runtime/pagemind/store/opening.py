"""Opening: an accepted input, its run, and, where that can be, the run's claim and the input's place, in one statement.

A conversation in which nothing goes on needs no queue: the run is born in the hands of the worker that accepts it. The caller
says what it knows of the conversation, by the versions of the rows (``xmin``); where they are newer it is told so and nothing
is stored. Another process may change the conversation while this statement waits for its lock, and then the rest of the
statement sees an older state than the lock: such a run is queued, as one behind others is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from pagemind.errors import UnknownRecord
from pagemind.records import Json, Message, Run
from pagemind.records.view import Resident
from pagemind.store.database import Database
from pagemind.store.express import Hot
from pagemind.store.views import ARCHIVE_ID, BLOCKS_AT


class Opened(StrEnum):
    """What became of an input."""

    placed = "placed"
    """Its run is in the worker's hands, begun, and the messages have their places."""
    claimed = "claimed"
    """Its run is in the worker's hands."""
    queued = "queued"
    """Its run waits for a worker."""
    joined = "joined"
    """Nothing was stored: there is a run of this key."""
    stale = "stale"
    """Nothing was stored: something is newer than the caller knows. Read, and try again."""


@dataclass(frozen=True)
class Opening:
    """What is to be opened. ``resident`` is what the caller knows; ``worker_id`` None: the run is to be queued.

    ``began`` is the run's first event; None: the messages are to wait for their places.
    """

    run: Run
    messages: Sequence[Message]
    resident: Resident
    worker_id: UUID | None
    lease_seconds: float
    began: Json | None


@dataclass(frozen=True)
class Outcome:
    """What became of it: the run that has the key already, ``next_seq`` after the messages, this transaction's version."""

    opened: Opened
    joined: UUID | None
    position: int
    next_seq: int
    version: str


RUN = [name for name in Run.model_fields if name != "position"]
SET_HERE = {
    "state": "CASE WHEN v.runs THEN 'running' ELSE 'queued' END",
    "epoch": "v.runs::int",
    "events": "v.places::int",
    "worker_id": "CASE WHEN v.runs THEN v.worker_id END",
    "lease_until": "CASE WHEN v.runs THEN now() + v.lease_seconds * interval '1 second' END",
    "started_at": "CASE WHEN v.runs THEN r.created_at END",
}
SEQ = "CASE WHEN o.places THEN o.next_seq - o.count + m.seq END"

OPEN = Hot(
    "pagemind_open",
    f"""
    WITH given AS MATERIALIZED (
        SELECT * FROM ROWS FROM (jsonb_to_recordset($1) AS (
            conversation_id uuid, agent_at text, conversation_at text, blocks_at text, archive_id uuid, run jsonb,
            messages jsonb, count int, began jsonb, worker_id uuid, lease_seconds float)
        ) WITH ORDINALITY AS g (conversation_id, agent_at, conversation_at, blocks_at, archive_id, run,
            messages, count, began, worker_id, lease_seconds, n)
    ), known AS MATERIALIZED (
        SELECT g.n, c.xmin::text AS at, a.xmin::text = g.agent_at AS same_agent,
               c.xmin::text = g.conversation_at AND coalesce({BLOCKS_AT}, '') = g.blocks_at
               AND ({ARCHIVE_ID}) IS NOT DISTINCT FROM g.archive_id AS same,
               (SELECT true FROM runs r
                 WHERE r.conversation_id = c.id AND r.state IN ('queued', 'running') LIMIT 1) IS NOT NULL AS busy,
               (SELECT r.id FROM runs r
                 WHERE r.conversation_id = c.id AND r.idempotency_key = g.run ->> 'idempotency_key') AS joined
          FROM given g
         CROSS JOIN LATERAL (SELECT c.xmin, c.tenant_id, c.id, c.agent_id FROM conversations c
                              WHERE c.id = g.conversation_id OFFSET 0) c
         CROSS JOIN LATERAL (SELECT a.xmin, a.id FROM agents a
                              WHERE a.tenant_id = c.tenant_id AND a.id = c.agent_id OFFSET 0) a
    ), held AS MATERIALIZED (
        SELECT g.n, c.at
          FROM given g
         CROSS JOIN LATERAL (SELECT c.xmin::text AS at FROM conversations c
                              WHERE c.id = g.conversation_id FOR NO KEY UPDATE) c
    ), judged AS MATERIALIZED (
        SELECT k.n, k.joined,
               CASE WHEN k.joined IS NOT NULL THEN 'joined'
                    WHEN NOT k.same_agent THEN 'stale'
                    WHEN g.worker_id IS NULL OR k.busy OR k.at <> h.at THEN 'queued'
                    WHEN g.began IS NULL THEN 'claimed'
                    WHEN k.same THEN 'placed'
                    ELSE 'stale' END AS verdict
          FROM given g JOIN known k ON k.n = g.n JOIN held h ON h.n = g.n
    ), verdicts AS MATERIALIZED (
        SELECT g.*, j.verdict IN ('claimed', 'placed') AS runs, j.verdict = 'placed' AS places
          FROM given g JOIN judged j ON j.n = g.n
         WHERE j.verdict IN ('queued', 'claimed', 'placed')
    ), accepted AS (
        INSERT INTO runs ({", ".join(RUN)})
        SELECT {", ".join(SET_HERE.get(name, f"r.{name}") for name in RUN)}
          FROM verdicts v, jsonb_populate_record(NULL::runs, v.run) AS r
         ORDER BY v.n
        ON CONFLICT DO NOTHING
        RETURNING runs.id, runs.position
    ), opened AS (
        UPDATE conversations c
           SET updated_at = now(), next_seq = c.next_seq + CASE WHEN v.places THEN v.count ELSE 0 END,
               turns = c.turns + CASE WHEN v.places THEN v.count ELSE 0 END
          FROM verdicts v JOIN accepted r ON r.id = CAST(v.run ->> 'id' AS uuid)
         WHERE c.id = v.conversation_id AND c.id = ANY (ARRAY(SELECT conversation_id FROM given))
        RETURNING v.n, v.places, v.count, v.messages, v.began, c.tenant_id, r.id AS run_id, r.position, c.next_seq
    ), said AS (
        INSERT INTO messages ({", ".join(Message.model_fields)})
        SELECT {", ".join(SEQ if name == "seq" else f"m.{name}" for name in Message.model_fields)}
          FROM opened o, jsonb_populate_recordset(NULL::messages, o.messages) AS m
    ), told AS (
        INSERT INTO run_events (tenant_id, run_id, seq, data, created_at)
        SELECT o.tenant_id, o.run_id, 1, o.began, now() FROM opened o WHERE o.places
    )
    SELECT j.n, CASE WHEN j.verdict IN ('queued', 'claimed', 'placed') AND o.n IS NULL THEN 'stale' ELSE j.verdict END,
           j.joined, coalesce(o.position, 0), coalesce(o.next_seq, 0), pg_current_xact_id()::xid::text
      FROM judged j LEFT JOIN opened o ON o.n = j.n
    """,  # noqa: S608 - names of columns, from the records; every value is an element of $1
)


async def send(database: Database, opening: Opening) -> Outcome:
    """Store the input; UnknownRecord if there is no such conversation, StoreUnavailable if nothing was stored."""
    resident, run = opening.resident, opening.run
    versions = resident.known_versions
    row = await database.express.send(
        OPEN,
        run.tenant_id,
        str(run.conversation_id),
        {
            "conversation_id": run.conversation_id,
            "agent_at": versions.agent,
            "conversation_at": versions.conversation,
            "blocks_at": ",".join(versions.blocks),
            "archive_id": resident.archive_id,
            "run": run.model_dump(mode="json"),
            "messages": [{**each.model_dump(mode="json"), "seq": at} for at, each in enumerate(opening.messages)],
            "count": len(opening.messages),
            "began": opening.began,
            "worker_id": opening.worker_id,
            "lease_seconds": opening.lease_seconds,
        },
    )
    if row is None:
        raise UnknownRecord(kind="conversation", id=str(run.conversation_id))
    return Outcome(Opened(row[1]), row[2], row[3], row[4], row[5])
