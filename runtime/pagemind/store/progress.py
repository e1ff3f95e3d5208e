"""Progress: what every step writes, in one statement: its run's counters, its messages' places, its row, its events.

A round trip and its bookkeeping cost more than the rows, so the five writes travel together. Values go as JSON and are given
their columns' types by the database; which columns change is the code's own choice, never a caller's text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.errors import LeaseLost
from pagemind.records import Json, Message, Step

KEPT = {"tenant_id", "id", "created_at"}
"""What a step's row keeps of the ``acting`` one that it replaces."""


@dataclass(frozen=True)
class Progress:
    """What the store tells of a stored step: its run's events so far, and ``next_seq`` of its conversation after it."""

    events: int
    next_seq: int
    cancelled: bool
    """Somebody asked for the run to be cancelled."""


async def store_step(
    session: AsyncSession,
    step: Step,
    *,
    epoch: int,
    conversation_id: UUID,
    run: Json,
    conversation: Json,
    known: dict[str, int],
    messages: Sequence[Message],
    events: Sequence[Json],
) -> Progress:
    """Store the step of a run whose lease epoch is still ``epoch``; LeaseLost, having changed nothing, if it is not.

    ``run`` and ``conversation`` are the columns that change, with their values; ``messages`` get their ``seq`` here. A run that
    has a ``state`` in ``run`` is at its end.
    """
    values = {
        "run_id": step.run_id,
        "epoch": epoch,
        "conversation_id": conversation_id,
        "run": as_json(run),
        "conversation": as_json(conversation),
        "known": as_json(known),
        "messages": as_json([{**each.model_dump(mode="json"), "seq": at} for at, each in enumerate(messages)]),
        "message_count": len(messages),
        "step": as_json(step.model_dump(mode="json")),
        "events": as_json(events),
        "event_count": len(events),
    }
    row = (await session.execute(statement(tuple(run), tuple(conversation)), values)).one_or_none()
    if row is None:
        raise LeaseLost(f"run {step.run_id}, epoch {epoch}")
    for at, message in enumerate(messages):
        message.seq = row.next_seq - len(messages) + at
    return Progress(row.events, row.next_seq, row.cancelled)


@lru_cache
def statement(run: tuple[str, ...], conversation: tuple[str, ...]) -> TextClause:
    """The statement that changes these columns of the run and of the conversation."""
    message, step = (list(model.model_fields) for model in (Message, Step))
    said = [f"placed.next_seq - :message_count + m.{name}" if name == "seq" else f"m.{name}" for name in message]
    replaced = [f"{name} = excluded.{name}" for name in step if name not in KEPT]
    return text(
        f"""
        WITH fenced AS (
            UPDATE runs SET {sets(run)}{", finished_at = now()" if "state" in run else ""}, events = runs.events + :event_count
              FROM jsonb_populate_record(NULL::runs, CAST(:run AS jsonb)) AS given
             WHERE runs.id = :run_id AND runs.epoch = :epoch AND runs.state = 'running'
            RETURNING runs.tenant_id, runs.events, runs.cancel_requested_at IS NOT NULL AS cancelled
        ), placed AS (
            UPDATE conversations
               SET {sets(conversation)}, next_seq = conversations.next_seq + :message_count, updated_at = now(),
                   stepped_at = now(), known_revisions = conversations.known_revisions || CAST(:known AS jsonb)
              FROM jsonb_populate_record(NULL::conversations, CAST(:conversation AS jsonb)) AS given, fenced
             WHERE conversations.id = :conversation_id
            RETURNING conversations.next_seq
        ), said AS (
            INSERT INTO messages ({", ".join(message)})
            SELECT {", ".join(said)}
              FROM placed, jsonb_populate_recordset(NULL::messages, CAST(:messages AS jsonb)) AS m
        ), stepped AS (
            INSERT INTO steps ({", ".join(step)})
            SELECT {", ".join(f"s.{name}" for name in step)}
              FROM placed, jsonb_populate_record(NULL::steps, CAST(:step AS jsonb)) AS s
            ON CONFLICT (tenant_id, id) DO UPDATE SET {", ".join(replaced)}
        ), told AS (
            INSERT INTO run_events (tenant_id, run_id, seq, data, created_at)
            SELECT fenced.tenant_id, :run_id, fenced.events - :event_count + e.place, e.data, now()
              FROM fenced, jsonb_array_elements(CAST(:events AS jsonb)) WITH ORDINALITY AS e (data, place)
        )
        SELECT fenced.events, placed.next_seq, fenced.cancelled FROM fenced, placed
        """  # noqa: S608 - names of columns, from the records and the engine; every value is a bound parameter
    )


def sets(names: Sequence[str]) -> str:
    """The assignments of these columns from ``given``."""
    return ", ".join(f"{name} = given.{name}" for name in names)


def as_json(value: object) -> str:
    """The value as JSON; ids as their text."""
    return json.dumps(value, default=str)
