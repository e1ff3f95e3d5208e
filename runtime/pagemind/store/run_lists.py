"""Lists of runs and steps: filtered, by pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import Run, Step
from pagemind.store.keyset import Slice, sliced

HIDDEN = "deleted"
"""The key in ``Run.extra`` of a run that somebody does not want to see any more."""


@dataclass(frozen=True)
class RunFilter:
    """Which runs: each condition that is given must hold."""

    agent_ids: Sequence[UUID] | None = None
    conversation_id: UUID | None = None
    states: Sequence[str] | None = None
    stop_reasons: Sequence[str] | None = None
    background: bool | None = None


@dataclass(frozen=True)
class StepFilter:
    """Which steps: each condition that is given must hold."""

    run_id: UUID | None = None
    agent_id: UUID | None = None
    model: str | None = None
    feedback: str | None = None
    has_feedback: bool | None = None
    after: datetime | None = None
    before: datetime | None = None


async def page(session: AsyncSession, wanted: RunFilter, asked: Slice) -> Sequence[Run]:
    """The page of the runs that are wanted; UnknownRecord for an unknown cursor."""
    conditions: list[ColumnElement[bool]] = [col(Run.extra)[HIDDEN].astext.is_(None)]
    if wanted.agent_ids is not None:
        conditions.append(col(Run.agent_id).in_(wanted.agent_ids))
    if wanted.conversation_id is not None:
        conditions.append(col(Run.conversation_id) == wanted.conversation_id)
    if wanted.states is not None:
        conditions.append(col(Run.state).in_(wanted.states))
    if wanted.stop_reasons is not None:
        conditions.append(col(Run.stop_reason).in_(wanted.stop_reasons))
    if wanted.background is not None:
        flagged = col(Run.background) | (col(Run.extra)["manner"]["numbered"].astext == "true")
        conditions.append(flagged if wanted.background else flagged.isnot(True))
    return await sliced(session, select(Run).where(*conditions), Run, asked)


async def find(session: AsyncSession, run_id: UUID) -> Run:
    """The run; UnknownRecord if there is none, or nobody wants to see it."""
    run = (await session.execute(select(Run).where(col(Run.id) == run_id))).scalar_one_or_none()
    if run is None or HIDDEN in run.extra:
        raise UnknownRecord(kind="run", id=str(run_id))
    return run


async def hide(session: AsyncSession, run: Run) -> None:
    """Take the run out of sight; what it did stays."""
    run.extra = {**run.extra, HIDDEN: True}
    await session.merge(run)
    await session.flush()


async def steps(session: AsyncSession, wanted: StepFilter, asked: Slice) -> Sequence[Step]:
    """The page of the steps that are wanted; UnknownRecord for an unknown cursor."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.run_id is not None:
        conditions.append(col(Step.run_id) == wanted.run_id)
    if wanted.agent_id is not None:
        conditions.append(col(Step.run_id).in_(select(col(Run.id)).where(col(Run.agent_id) == wanted.agent_id)))
    if wanted.model is not None:
        conditions.append(col(Step.model) == wanted.model)
    if wanted.feedback is not None:
        conditions.append(col(Step.feedback) == wanted.feedback)
    if wanted.has_feedback is not None:
        conditions.append(col(Step.feedback).isnot(None) if wanted.has_feedback else col(Step.feedback).is_(None))
    if wanted.after is not None:
        conditions.append(col(Step.created_at) >= wanted.after)
    if wanted.before is not None:
        conditions.append(col(Step.created_at) <= wanted.before)
    return await sliced(session, select(Step).where(*conditions), Step, asked)


async def step(session: AsyncSession, step_id: UUID) -> Step:
    """The step; UnknownRecord."""
    found = (await session.execute(select(Step).where(col(Step.id) == step_id))).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind="step", id=str(step_id))
    return found


async def runs_of(session: AsyncSession, found: Sequence[Step]) -> dict[UUID, Run]:
    """The runs of the steps, by id."""
    ids = {each.run_id for each in found}
    rows = (await session.execute(select(Run).where(col(Run.id).in_(ids)))).scalars() if ids else ()
    return {run.id: run for run in rows}
