"""Progress: what every step writes, in one statement: its run's counters, its messages' places, its row, its events.

A round trip and its bookkeeping cost more than the rows, so the five writes travel together, and steps of different runs that
are done at the same time travel together, too (``store/express.py``). Values go as JSON and are given their columns' types by
the database; which columns change is the code's own choice, never a caller's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.errors import LeaseLost
from pagemind.records import Json, Message, Step
from pagemind.store.database import Database
from pagemind.store.express import Hot, as_json

KEPT = {"tenant_id", "id", "created_at"}
"""What a step's row keeps of the ``acting`` one that it replaces."""
OF_RUN = (
    "state", "stop_reason", "error", "attempts", "steps", "prompt_tokens", "cached_tokens", "completion_tokens",
)  # fmt: skip
OF_CONVERSATION = ("snapshot", "epoch", "bias_tokens", "prefix", "served_by", "paged_in")
"""The columns that a step may change."""


@dataclass(frozen=True)
class Progress:
    """What the store tells of a stored step: its run's events so far, and ``next_seq`` of its conversation after it."""

    events: int
    next_seq: int
    cancelled: bool
    """Somebody asked for the run to be cancelled."""
    others: bool
    """Other runs of the conversation wait."""
    before: str
    """The version of the conversation that this one replaced."""
    version: str
    """This transaction's: of every row that it wrote."""


@dataclass(frozen=True)
class Stride:
    """One step to be stored. ``run`` and ``conversation`` are the columns that change, with their values.

    A run that has a ``state`` in ``run`` is at its end.
    """

    step: Step
    epoch: int
    conversation_id: UUID
    run: Json
    conversation: Json
    known: dict[str, int]
    messages: Sequence[Message]
    events: Sequence[Json]

    def as_element(self) -> Json:
        """As the statement takes it."""
        unknown = [*(set(self.run) - set(OF_RUN)), *(set(self.conversation) - set(OF_CONVERSATION))]
        if unknown:
            raise ValueError(f"a step does not change {', '.join(unknown)}")
        return {
            "run_id": self.step.run_id,
            "epoch": self.epoch,
            "conversation_id": self.conversation_id,
            "run": self.run,
            "conversation": self.conversation,
            "known": self.known,
            "messages": [{**each.model_dump(mode="json"), "seq": at} for at, each in enumerate(self.messages)],
            "message_count": len(self.messages),
            "step": self.step.model_dump(mode="json"),
            "events": self.events,
            "event_count": len(self.events),
        }

    def stored(self, row: Sequence[Any] | None) -> Progress:
        """What the statement's row tells; the messages get their ``seq``. LeaseLost without a row."""
        if row is None:
            raise LeaseLost(f"run {self.step.run_id}, epoch {self.epoch}")
        progress = Progress(*row[1:])
        for at, message in enumerate(self.messages):
            message.seq = progress.next_seq - len(self.messages) + at
        return progress


def assigned(names: Sequence[str], given: str, target: str) -> str:
    """The assignments of those columns that stand in the JSON object ``given``, populated as ``p``; the others stay."""
    return ", ".join(f"{name} = CASE WHEN {given} ? '{name}' THEN p.{name} ELSE {target}.{name} END" for name in names)


def store(steps: str) -> str:
    """The statement that stores ``steps``, an expression for a JSON array."""
    seq = "placed.next_seq - placed.message_count + m.seq"
    said = [seq if name == "seq" else f"m.{name}" for name in Message.model_fields]
    step = list(Step.model_fields)
    return f"""
    WITH given AS MATERIALIZED (
        SELECT * FROM ROWS FROM (jsonb_to_recordset({steps}) AS (
            run_id uuid, epoch int, conversation_id uuid, run jsonb, conversation jsonb, known jsonb,
            messages jsonb, message_count int, step jsonb, events jsonb, event_count int)
        ) WITH ORDINALITY AS g (run_id, epoch, conversation_id, run, conversation, known,
            messages, message_count, step, events, event_count, n)
    ), ours AS MATERIALIZED (
        SELECT g.n
          FROM given g
         CROSS JOIN LATERAL (SELECT r.epoch, r.state || '' AS state FROM runs r
                              WHERE r.id = g.run_id FOR NO KEY UPDATE) r
         WHERE r.epoch = g.epoch AND r.state = 'running'
    ), fenced AS (
        UPDATE runs r SET {assigned(OF_RUN, "g.run", "r")}, events = r.events + g.event_count,
                          finished_at = CASE WHEN g.run ? 'state' THEN now() END
          FROM ours JOIN given g ON g.n = ours.n, jsonb_populate_record(NULL::runs, g.run) AS p
         WHERE r.id = g.run_id AND r.id = ANY (ARRAY(SELECT run_id FROM given))
        RETURNING g.n, r.tenant_id, r.events, r.cancel_requested_at IS NOT NULL AS cancelled
    ), held AS MATERIALIZED (
        SELECT g.n, c.at
          FROM fenced f JOIN given g ON g.n = f.n
         CROSS JOIN LATERAL (SELECT c.xmin::text AS at FROM conversations c
                              WHERE c.id = g.conversation_id FOR NO KEY UPDATE) c
    ), placed AS (
        UPDATE conversations c
           SET {assigned(OF_CONVERSATION, "g.conversation", "c")}, next_seq = c.next_seq + g.message_count,
               updated_at = now(), stepped_at = now(), known_revisions = c.known_revisions || g.known
          FROM given g JOIN held h ON h.n = g.n,
               jsonb_populate_record(NULL::conversations, g.conversation) AS p
         WHERE c.id = g.conversation_id AND c.id = ANY (ARRAY(SELECT conversation_id FROM given))
        RETURNING g.n, g.message_count, g.messages, g.step, c.next_seq, h.at,
                  (SELECT true FROM runs o
                    WHERE o.conversation_id = c.id AND o.state = 'queued' LIMIT 1) IS NOT NULL AS others
    ), said AS (
        INSERT INTO messages ({", ".join(Message.model_fields)})
        SELECT {", ".join(said)} FROM placed, jsonb_populate_recordset(NULL::messages, placed.messages) AS m
    ), stepped AS (
        INSERT INTO steps ({", ".join(step)})
        SELECT {", ".join(f"s.{name}" for name in step)}
          FROM placed, jsonb_populate_record(NULL::steps, placed.step) AS s
        ON CONFLICT (tenant_id, id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in step if name not in KEPT)}
    ), told AS (
        INSERT INTO run_events (tenant_id, run_id, seq, data, created_at)
        SELECT f.tenant_id, g.run_id, f.events - g.event_count + e.place, e.data, now()
          FROM fenced f JOIN given g ON g.n = f.n, jsonb_array_elements(g.events) WITH ORDINALITY AS e (data, place)
    )
    SELECT f.n, f.events, placed.next_seq, f.cancelled, placed.others, placed.at, pg_current_xact_id()::xid::text
      FROM fenced f JOIN placed ON placed.n = f.n
    """  # noqa: S608 - names of columns, from the records and from above; every value is in the array


STORE = Hot("pagemind_store", store("$1"))
_STORE_ONE = text(store("CAST(:steps AS jsonb)"))


async def store_alone(database: Database, tenant_id: UUID, stride: Stride) -> Progress:
    """Store a step that has nothing else to write, together with those of other runs; LeaseLost, having changed nothing."""
    return stride.stored(await database.express.send(STORE, tenant_id, str(stride.step.run_id), stride.as_element()))


async def store_step(session: AsyncSession, stride: Stride) -> Progress:
    """Store the step within a transaction that writes more; LeaseLost, having changed nothing, if the lease is lost."""
    row = (await session.execute(_STORE_ONE, {"steps": as_json([stride.as_element()])})).one_or_none()
    return stride.stored(row)
