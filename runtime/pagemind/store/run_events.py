"""The events of runs, to be read again from any point on."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.records import Json, RunEvent
from pagemind.store.tables import table_of


async def add(session: AsyncSession, tenant_id: UUID, run_id: UUID, first_seq: int, events: Sequence[Json]) -> None:
    """Store events under ``first_seq, first_seq + 1, ...``; the run's counter must have been moved by the same fence."""
    if events:
        rows = [
            {"tenant_id": tenant_id, "run_id": run_id, "seq": first_seq + index, "data": data}
            for index, data in enumerate(events)
        ]
        await session.execute(insert(table_of(RunEvent)), rows)  # not values(rows), which is compiled anew each time


async def after(session: AsyncSession, run_id: UUID, seq: int, limit: int = 1000) -> list[RunEvent]:
    """The run's events with a greater ``seq``, in order."""
    query = (
        select(RunEvent).where(col(RunEvent.run_id) == run_id, col(RunEvent.seq) > seq).order_by(col(RunEvent.seq)).limit(limit)
    )
    return list((await session.execute(query)).scalars())
