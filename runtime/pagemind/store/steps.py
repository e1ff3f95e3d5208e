"""Steps, and the record of calls to outside tools (contract D4)."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.records import Step, ToolCall


async def put(session: AsyncSession, step: Step) -> None:
    """Store the step, in the place of the ``acting`` row it had if there was one."""
    values = step.model_dump()
    kept = {name: value for name, value in values.items() if name not in ("tenant_id", "id", "created_at")}
    await session.execute(insert(Step).values(**values).on_conflict_do_update(index_elements=["tenant_id", "id"], set_=kept))


async def of_run(session: AsyncSession, run_id: UUID) -> list[Step]:
    """The run's steps in order."""
    query = select(Step).where(col(Step.run_id) == run_id).order_by(col(Step.index))
    return list((await session.execute(query)).scalars())


async def start_call(session: AsyncSession, call: ToolCall) -> None:
    """Record that an outside call is about to run; a second start of an idempotent one leaves the first in place."""
    await session.execute(insert(ToolCall).values(**call.model_dump()).on_conflict_do_nothing())


async def end_call(session: AsyncSession, step_id: UUID, index: int, *, result: str, status: str) -> None:
    """Record the outcome of an outside call."""
    await session.execute(
        update(ToolCall)
        .where(col(ToolCall.step_id) == step_id, col(ToolCall.index) == index)
        .values(state="done", result=result, status=status, finished_at=func.now())
        .execution_options(synchronize_session=False)
    )
