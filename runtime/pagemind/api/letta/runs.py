"""``/v1/runs``: what was accepted and what became of it, its messages, its stream from any point on."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.api.here import Caller, Here
from pagemind.api.ids import AgentId, record_id
from pagemind.api.letta.event_stream import EventStream
from pagemind.api.letta.message_bodies import StreamRequest
from pagemind.api.letta.message_json import shown, wire_json
from pagemind.api.letta.run_json import our_states, run_json, run_metrics_json, usage_json
from pagemind.api.letta.steps import cut, steps_json
from pagemind.api.letta.stops import our_stops
from pagemind.api.letta.talking import is_over, manner_again
from pagemind.api.pages import paged
from pagemind.api.problems import bad_request, conflict, not_found
from pagemind.errors import UnknownRecord
from pagemind.records import Run
from pagemind.store import messages, run_lists
from pagemind.store.keyset import Slice
from pagemind.store.run_lists import RunFilter, StepFilter

router = APIRouter(tags=["runs"])

UNFINISHED = ["created", "running"]
MODEL_FAILED = "llm_api_error"
Word = Annotated[str, Query(max_length=100)]


def run_filter(
    agent_id: AgentId | None = None,
    agent_ids: Annotated[list[AgentId] | None, Query(max_length=100)] = None,
    statuses: Annotated[list[Word] | None, Query(max_length=20)] = None,
    background: bool | None = None,
    stop_reason: Word | None = None,
    conversation_id: Word | None = None,
    active: bool = False,
) -> RunFilter:
    """A dependency that reads which runs are asked for."""
    agents = [*(agent_ids or ()), *([agent_id] if agent_id else ())]
    words = statuses if statuses is not None else UNFINISHED if active else None
    stops = None
    if stop_reason is not None:
        stops = our_stops("error" if stop_reason == MODEL_FAILED else stop_reason)
    conversation = None
    if conversation_id and conversation_id != "default":
        try:
            conversation = record_id("conv", conversation_id)
        except ValueError:
            raise not_found("conversation", conversation_id) from None
    return RunFilter(
        agent_ids=agents or None,
        conversation_id=conversation,
        states=None if words is None else our_states(words),
        stop_reasons=stops,
        background=background,
    )


Wanted = Annotated[RunFilter, Depends(run_filter)]


@router.get("/v1/runs")
async def list_runs(
    here: Caller, wanted: Wanted, asked: Annotated[Slice, Depends(paged("run", limit=100))], ascending: bool = False
) -> list[dict[str, Any]]:
    """A page of the runs, the newest first."""
    asked = replace(asked, descending=False) if ascending else asked
    async with here.transaction() as session:
        found = await run_lists.page(session, wanted, asked)
    return [run_json(run) for run in found]


@router.get("/v1/runs/active")
async def list_active(here: Caller, wanted: Wanted) -> list[dict[str, Any]]:
    """The runs that go on or wait."""
    async with here.transaction() as session:
        found = await run_lists.page(session, replace(wanted, states=our_states(UNFINISHED)), Slice(limit=1000))
    return [run_json(run) for run in found]


async def known_run(session: AsyncSession, text: str) -> Run:
    """The run of that id on the wire; 400 where it is none, 404 where there is none."""
    try:
        return await run_lists.find(session, record_id("run", text))
    except ValueError as error:
        raise bad_request(str(error)) from None
    except UnknownRecord:
        raise not_found("run", text) from None


RunPath = Annotated[str, "run-<uuid>"]


@router.get("/v1/runs/{run_id}")
async def retrieve_run(here: Caller, run_id: RunPath) -> dict[str, Any]:
    """One run."""
    async with here.transaction() as session:
        run = await known_run(session, run_id)
        first = await run_lists.steps(session, StepFilter(run_id=run.id), Slice(limit=1, descending=False))
    return run_json(run, first[0].timings.get("first_token") if first else None)


@router.delete("/v1/runs/{run_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_run(here: Caller, run_id: RunPath) -> None:
    """Take a run that ended out of sight; its messages stay."""
    async with here.transaction() as session:
        run = await known_run(session, run_id)
        if not is_over(run):
            raise conflict(f"Run {run_id} goes on: cancel it first.")
        await run_lists.hide(session, run)


@router.get("/v1/runs/{run_id}/messages", response_model=list[dict[str, Any]])
async def run_messages(
    here: Caller, run_id: RunPath, asked: Annotated[Slice, Depends(paged("message", limit=100, order="asc"))]
) -> Response:
    """The run's messages, its input among them."""
    async with here.transaction() as session:
        run = await known_run(session, run_id)
        found = await messages.of_run(session, run.id)
    return Response(wire_json(shown(cut(found, asked))), media_type="application/json")


@router.get("/v1/runs/{run_id}/usage")
async def run_usage(here: Caller, run_id: RunPath) -> dict[str, Any]:
    """The run's token totals."""
    async with here.transaction() as session:
        run = await known_run(session, run_id)
    return usage_json(run.prompt_tokens, run.completion_tokens, run.cached_tokens)


@router.get("/v1/runs/{run_id}/metrics")
async def run_metrics(here: Caller, run_id: RunPath) -> dict[str, Any]:
    """How long the run took."""
    async with here.transaction() as session:
        return run_metrics_json(await known_run(session, run_id), [])


@router.get("/v1/runs/{run_id}/steps")
async def run_steps(
    here: Caller, run_id: RunPath, asked: Annotated[Slice, Depends(paged("step", limit=100))]
) -> list[dict[str, Any]]:
    """The run's steps, the newest first."""
    async with here.transaction() as session:
        run = await known_run(session, run_id)
        return await steps_json(here, session, StepFilter(run_id=run.id), asked)


@router.post("/v1/runs/{run_id}/stream", response_model=None, responses={200: {"content": {"text/event-stream": {}}}})
async def stream_run(
    here: Caller,
    run_id: RunPath,
    asked: StreamRequest | None = None,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> Response:
    """The run's stream from after a number on: exactly what the listener lacks."""
    async with here.transaction() as session:
        run = await known_run(session, run_id)
    return stream_of(here, run, asked or StreamRequest(), last_event_id)


def stream_of(here: Here, run: Run, asked: StreamRequest, last_event_id: str | None) -> EventStream:
    """The run's stream from where the request says."""
    seen = last_event_id or ""
    after = min(int(seen), 2**53) if seen.isascii() and seen.isdecimal() else asked.starting_after
    return EventStream(here, run.id, manner_again(run, after), pings=asked.include_pings is not False)
