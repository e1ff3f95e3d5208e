"""Runs: accepted, claimed under a lease with an epoch, fenced at every write, finished."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import LeaseLost, UnknownRecord
from pagemind.records import Run
from pagemind.store.database import Database
from pagemind.store.express import Hot

# A worker holds an advisory lock named by the first eight bytes of its id, on a connection of its own. When its process
# dies Postgres frees the lock at once, so the next worker need not wait for the lease to run out.
_CLAIM = text(
    """
    WITH alive AS (
        SELECT (classid::bigint << 32) | objid::bigint AS worker_key
          FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
    ), candidate AS (
        SELECT r.tenant_id, r.id
          FROM runs r
         WHERE r.state IN ('queued', 'running')
           AND r.id <> ALL (:busy)
           AND (:with_background OR NOT r.background)
           AND (r.state = 'queued' OR r.lease_until < now()
                OR r.worker_id = :worker_id AND r.lease_until < now() + :lease - interval '2 seconds'
                OR ('x' || substr(replace(r.worker_id::text, '-', ''), 1, 16))::bit(64)::bigint
                   NOT IN (SELECT worker_key FROM alive))
           AND NOT EXISTS (
               SELECT 1 FROM runs earlier
                WHERE earlier.tenant_id = r.tenant_id AND earlier.conversation_id = r.conversation_id
                  AND earlier.state IN ('queued', 'running') AND earlier.position < r.position)
         ORDER BY r.background, r.position
         LIMIT 1
           FOR UPDATE SKIP LOCKED
    )
    UPDATE runs SET state = 'running', epoch = runs.epoch + 1, worker_id = :worker_id,
                    lease_until = now() + :lease, started_at = coalesce(runs.started_at, now())
      FROM candidate
     WHERE runs.tenant_id = candidate.tenant_id AND runs.id = candidate.id
    RETURNING runs.id
    """
)


RENEW = Hot(
    "pagemind_renew",
    """
    WITH given AS MATERIALIZED (
        SELECT * FROM ROWS FROM (jsonb_to_recordset($1) AS (run_id uuid, epoch int, lease_seconds float))
            WITH ORDINALITY AS g (run_id, epoch, lease_seconds, n)
    ), ours AS MATERIALIZED (
        SELECT g.*
          FROM given g
         CROSS JOIN LATERAL (SELECT r.epoch, r.state || '' AS state FROM runs r
                              WHERE r.id = g.run_id FOR NO KEY UPDATE) r
         WHERE r.epoch = g.epoch AND r.state = 'running'
    )
    UPDATE runs r SET lease_until = now() + o.lease_seconds * interval '1 second'
      FROM ours o
     WHERE r.id = o.run_id AND r.id = ANY (ARRAY(SELECT run_id FROM given))
    RETURNING o.n, r.cancel_requested_at IS NOT NULL
    """,
)


def worker_key(worker_id: UUID) -> int:
    """The advisory lock that stands for a worker: its id's first eight bytes as a signed 64-bit number."""
    return int.from_bytes(worker_id.bytes[:8], "big", signed=True)


async def add(session: AsyncSession, run: Run) -> Run:
    """Store an accepted run."""
    session.add(run)
    await session.flush()
    return run


async def get(session: AsyncSession, run_id: UUID) -> Run:
    """The run; UnknownRecord if there is none."""
    run = (await session.execute(select(Run).where(col(Run.id) == run_id))).scalar_one_or_none()
    if run is None:
        raise UnknownRecord(kind="run", id=str(run_id))
    return run


async def by_key(session: AsyncSession, conversation_id: UUID, idempotency_key: str) -> Run | None:
    """The run that was accepted under this key in this conversation."""
    query = select(Run).where(col(Run.conversation_id) == conversation_id, col(Run.idempotency_key) == idempotency_key)
    return (await session.execute(query)).scalar_one_or_none()


async def recent(
    session: AsyncSession, *, conversation_id: UUID | None = None, agent_id: UUID | None = None, limit: int = 20
) -> list[Run]:
    """The newest runs first, of one conversation or one agent if given."""
    query = select(Run).order_by(col(Run.position).desc()).limit(limit)
    if conversation_id is not None:
        query = query.where(col(Run.conversation_id) == conversation_id)
    if agent_id is not None:
        query = query.where(col(Run.agent_id) == agent_id)
    return list((await session.execute(query)).scalars())


async def claim(
    session: AsyncSession,
    worker_id: UUID,
    *,
    lease_seconds: float,
    busy: Collection[UUID] = (),
    with_background: bool = True,
) -> Run | None:
    """Take the oldest run that may start now, or one that its worker left; None if there is none.

    At most one run of a conversation runs, in the order of acceptance; those in the background come last, or not at all
    without ``with_background``. ``busy`` are the runs this worker is already at; others that are its own, because it never
    heard that they are, are taken once it has not renewed them for a moment.
    """
    lease = timedelta(seconds=lease_seconds)
    values = {"worker_id": worker_id, "lease": lease, "busy": list(busy), "with_background": with_background}
    run_id = (await session.execute(_CLAIM, values)).scalar_one_or_none()
    return None if run_id is None else await get(session, run_id)


async def renew(database: Database, run_id: UUID, epoch: int, *, lease_seconds: float) -> bool | None:
    """Extend the lease: True if somebody asked for the run to be cancelled, None if it is not ours any more.

    Leases that are extended at the same time are so in one statement, in the order in which steps are stored, too.
    """
    element = {"run_id": run_id, "epoch": epoch, "lease_seconds": lease_seconds}
    row = await database.express.send(RENEW, database.tenant_id, str(run_id), element)
    return None if row is None else row[1]


class Fenced:
    """What a fenced write tells of the run: its events so far *after* the write, and whether cancelling was asked for."""

    def __init__(self, events: int, cancelled: bool) -> None:
        self.events = events
        self.cancelled = cancelled


async def fence(session: AsyncSession, run_id: UUID, epoch: int, **values: Any) -> Fenced:
    """Write ``values`` to the run if its lease epoch is still ``epoch``; LeaseLost, having changed nothing, if it is not.

    Every transaction of a run begins with this, so that a worker that was given up changes nothing at all.
    """
    statement = (
        update(Run)
        .where(col(Run.id) == run_id, col(Run.epoch) == epoch, col(Run.state) == "running")
        .values(**(values or {"epoch": epoch}))
        .returning(col(Run.events), col(Run.cancel_requested_at))
        .execution_options(synchronize_session=False)
    )
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise LeaseLost(f"run {run_id}, epoch {epoch}")
    return Fenced(row[0], row[1] is not None)


def events_after(count: int) -> Any:
    """The run's event counter moved on by ``count``, as a value for `fence`."""
    return col(Run.events) + count


def at_commit() -> Any:
    """The transaction's own time, as a value for `fence`."""
    return func.now()


async def going_on(session: AsyncSession, conversation_id: UUID) -> bool:
    """Whether a run of the conversation is in some worker's hands."""
    query = select(col(Run.id)).where(col(Run.conversation_id) == conversation_id, col(Run.state) == "running")
    return (await session.execute(query)).first() is not None


async def unfinished(session: AsyncSession, conversation_id: UUID) -> bool:
    """Whether a run of the conversation goes on or waits."""
    states = ("queued", "running")
    query = select(col(Run.id)).where(col(Run.conversation_id) == conversation_id, col(Run.state).in_(states))
    return (await session.execute(query.limit(1))).first() is not None


async def any_unfinished(session: AsyncSession) -> bool:
    """Whether any run of the tenant goes on or waits."""
    query = select(col(Run.id)).where(col(Run.state).in_(("queued", "running")))
    return (await session.execute(query.limit(1))).first() is not None


async def waiting(session: AsyncSession) -> int:
    """How many runs of the tenant have not begun."""
    query = select(func.count()).select_from(Run).where(col(Run.state) == "queued")
    return (await session.execute(query)).scalar_one()


async def own_among(session: AsyncSession, conversation_id: UUID, run_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of ``run_ids`` that are runs of this conversation."""
    if not run_ids:
        return frozenset()
    query = select(col(Run.id)).where(col(Run.conversation_id) == conversation_id, col(Run.id).in_(run_ids))
    return frozenset((await session.execute(query)).scalars())


async def request_cancel(session: AsyncSession, run_id: UUID) -> Run:
    """Ask for the run to be cancelled: the worker that has it, or the next that claims it, ends it."""
    await session.execute(
        text(
            "UPDATE runs SET cancel_requested_at = coalesce(cancel_requested_at, now()) "
            "WHERE id = :run_id AND state IN ('queued', 'running')"
        ),
        {"run_id": run_id},
    )
    return await get(session, run_id)
