"""``/v1/steps``: each model call with the tool calls it asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.api.here import Caller, Here
from pagemind.api.ids import AgentId, StepId, wire_id
from pagemind.api.letta.message_json import shown, wire_json
from pagemind.api.letta.run_json import step_json, step_metrics_json
from pagemind.api.pages import paged
from pagemind.api.problems import not_found
from pagemind.api.values import Moment, Tag
from pagemind.errors import UnknownRecord
from pagemind.records import Message, Run, Step
from pagemind.store import messages, run_lists
from pagemind.store.keyset import Slice
from pagemind.store.run_lists import StepFilter

router = APIRouter(tags=["steps"])

Judged = Literal["positive", "negative"]
TAGS = "step_tags"
"""The key in ``Run.extra`` of what people tagged its steps with, by step."""


class Feedback(BaseModel):
    """What somebody thinks of a step."""

    feedback: Judged | None = None
    tags: Annotated[list[Tag] | None, Field(max_length=50)] = None


def step_filter(
    start_date: Moment | None = None,
    end_date: Moment | None = None,
    model: Annotated[str | None, Query(max_length=200)] = None,
    agent_id: AgentId | None = None,
    feedback: Judged | None = None,
    has_feedback: bool | None = None,
    trace_ids: Annotated[list[str] | None, Query(max_length=100)] = None,
    tags: Annotated[list[str] | None, Query(max_length=100)] = None,
    project_id: Annotated[str | None, Query(max_length=100)] = None,
) -> StepFilter:
    """A dependency that reads which steps are asked for."""
    return StepFilter(
        agent_id=agent_id, model=model, feedback=feedback, has_feedback=has_feedback, after=start_date, before=end_date
    )


@router.get("/v1/steps")
async def list_steps(
    here: Caller,
    wanted: Annotated[StepFilter, Depends(step_filter)],
    asked: Annotated[Slice, Depends(paged("step", limit=50))],
) -> list[dict[str, Any]]:
    """A page of the steps, the newest first."""
    async with here.transaction() as session:
        return await steps_json(here, session, wanted, asked)


async def steps_json(here: Here, session: AsyncSession, wanted: StepFilter, asked: Slice) -> list[dict[str, Any]]:
    """A page of steps; 404 for an unknown cursor."""
    found = await run_lists.steps(session, wanted, asked)
    its_runs = await run_lists.runs_of(session, found)
    return [whole_step(here, step, its_runs[step.run_id]) for step in found]


def whole_step(here: Here, step: Step, run: Run) -> dict[str, Any]:
    """The step as it stands on the wire."""
    reasoner = here.runtime.reasoner
    tags = run.extra.get(TAGS, {}).get(str(step.id))
    return step_json(step, run, window_tokens=reasoner.window_tokens, endpoint=reasoner.url, tags=tags)


async def known_step(session: AsyncSession, step_id: StepId) -> tuple[Step, Run]:
    """The step and its run; 404."""
    try:
        step = await run_lists.step(session, step_id)
    except UnknownRecord:
        raise not_found("step", wire_id("step", step_id)) from None
    return step, (await run_lists.runs_of(session, [step]))[step.run_id]


@router.get("/v1/steps/{step_id}")
async def retrieve_step(here: Caller, step_id: StepId) -> dict[str, Any]:
    """One step."""
    async with here.transaction() as session:
        return whole_step(here, *await known_step(session, step_id))


@router.get("/v1/steps/{step_id}/metrics")
async def step_metrics(here: Caller, step_id: StepId) -> dict[str, Any]:
    """How long its parts took."""
    async with here.transaction() as session:
        return step_metrics_json(*await known_step(session, step_id))


@router.get("/v1/steps/{step_id}/trace")
async def step_trace(here: Caller, step_id: StepId) -> dict[str, Any] | None:
    """What went to the model server and came back: nothing, since it is not kept."""
    async with here.transaction() as session:
        await known_step(session, step_id)
    return None


@router.get("/v1/steps/{step_id}/messages", response_model=list[dict[str, Any]])
async def step_messages(
    here: Caller, step_id: StepId, asked: Annotated[Slice, Depends(paged("message", limit=100, order="asc"))]
) -> Response:
    """What the step said: the reply and the returns of its calls; of a run's first step its input, too."""
    async with here.transaction() as session:
        step, run = await known_step(session, step_id)
        found = await messages.of_run(session, run.id)
    its = [each for each in found if each.step_id == step.id or (step.index == 0 and each.step_id is None)]
    return Response(wire_json(shown(cut(its, asked))), media_type="application/json")


def cut(found: Sequence[Message], asked: Slice) -> Sequence[Message]:
    """The page of messages that are all there; 404 for an unknown cursor."""
    ordered = list(reversed(found)) if asked.descending else list(found)
    places = {message.id: place for place, message in enumerate(ordered)}
    first, last = 0, len(ordered)
    for cursor in (asked.after, asked.before):
        if cursor is not None and cursor not in places:
            raise not_found("message", wire_id("message", cursor))
    if asked.after is not None:
        first = places[asked.after] + 1
    if asked.before is not None:
        last = places[asked.before]
        first = max(first, last - asked.limit) if asked.after is None else first
    return ordered[first:last][: asked.limit]


@router.patch("/v1/steps/{step_id}/feedback")
async def judge_step(here: Caller, step_id: StepId, asked: Feedback) -> dict[str, Any]:
    """Keep what somebody thinks of the step."""
    async with here.transaction() as session:
        step, run = await known_step(session, step_id)
        if "feedback" in asked.model_fields_set:
            step.feedback = asked.feedback
        if asked.tags is not None:
            run.extra = {**run.extra, TAGS: {**run.extra.get(TAGS, {}), str(step.id): asked.tags}}
        await session.merge(step)
        await session.merge(run)
        await session.flush()
        return whole_step(here, step, run)
