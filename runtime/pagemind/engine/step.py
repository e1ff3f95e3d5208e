"""A step: read -> compile -> reason -> act -> persist. A turn flows one way, and each step is stored before the next begins."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from pagemind.engine.act import Intent, act
from pagemind.engine.advance import advanced
from pagemind.engine.compact import compact, planned
from pagemind.engine.drafts import draft_calls, draft_plain, draft_unusable, draft_waiting
from pagemind.engine.effects import Effects
from pagemind.engine.epochs import lost_prefix, worth_writing_back
from pagemind.engine.job import Job, RunCancelled, completed
from pagemind.engine.kernel import Kernel
from pagemind.engine.persist import BlocksMoved, Draft, Persist, Persisted, persist
from pagemind.engine.policy import Policy, overridden, policy_of
from pagemind.engine.reason import reason
from pagemind.engine.replies import Calls, Judgement, Plain, Unusable, from_json, judge
from pagemind.engine.ruling import ruling_of
from pagemind.engine.turn import Clock, Thought, Turn, reply_id
from pagemind.engine.window import Window, open_window
from pagemind.errors import ContextTooLong, WindowFull
from pagemind.events import StepStarted
from pagemind.faults import reach
from pagemind.memory.limits import exceeded, seconds_left
from pagemind.memory.pager import Budget
from pagemind.records import Cause, StopReason, now
from pagemind.records.view import View
from pagemind.store import views
from pagemind.toolbox.calls import CallResult

CHARS_PER_TOKEN = 4
NEXT_INPUT_TOKENS = 256
"""What may be added or counted otherwise until the next run: near the early watermark it is worth a look."""


class AtLimit(Exception):
    """The run has used up what it may use; ``reason`` says of what."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Outcome:
    """What came of a step: whether it was the run's last, and the view of the next, None where that has to be read."""

    ended: bool
    view: View | None = None


async def run_step(job: Job, kernel: Kernel, view: View | None = None, persist: Persist = persist) -> Outcome:
    """Make one step on the ``view`` that the one before left.

    Raises AtLimit or RunCancelled when no further step may be made.
    """
    clock = Clock()
    view = view or await read(job, kernel)
    clock.lap("read")
    if view.acting is None:
        stop_if_due(job, view)
    turn = await in_time(view, heard_out(job, view, ask(job, kernel, view, clock)))
    return await store(turn, persist)


async def heard_out(job: Job, view: View, asking: Coroutine[Any, Any, Turn]) -> Turn:
    """The turn, unless the run is cancelled meanwhile: a server that only counts tokens may keep silent, too.

    A step that was cut off in the middle of its tools has its reply already, and is stored whatever comes.
    """
    return await (asking if view.acting else job.unless_cancelled(asking))


async def ask(job: Job, kernel: Kernel, view: View, clock: Clock) -> Turn:
    """Compile the prompt, with room made for it, and get the reply."""
    policy = policy_of(view.agent, kernel.reasoner)
    try:
        view, window = await make_room(job, kernel, view, policy)
        clock.lap("compile")
        thought = await think(job, kernel, view, window, policy)
    except ContextTooLong:
        # The server counts more than we do: page out whatever may go, and ask once more.
        view, window = await make_room(job, kernel, view, policy, force=True)
        thought = await think(job, kernel, view, window, policy)
    clock.first_token(job.first_piece_at)
    job.first_piece_at = None
    clock.lap("reason")
    ruling = ruling_of(view, kernel.tools_of(view))
    return Turn(job, kernel, policy, view, window, replace(thought, reply=ruling.filled(thought.reply)), clock, ruling)


async def in_time(view: View, asking: Coroutine[Any, Any, Turn]) -> Turn:
    """The turn, if it is there before the run's seconds are used up; else AtLimit. A reply cut off so is not kept."""
    timer = asyncio.timeout(None if view.acting else seconds_left(view.run, now()))
    try:
        async with timer:
            return await asking
    except TimeoutError:
        if timer.expired():
            raise AtLimit(StopReason.max_seconds) from None
        raise


async def read(job: Job, kernel: Kernel) -> View:
    """The agent's view; LeaseLost when the run is not ours any more."""
    async with kernel.database.transaction() as session:
        view = await views.of_run(session, job.run_id, job.epoch)
    reach("step.after_read")
    return as_asked(view)


def as_asked(view: View) -> View:
    """The view with the agent as the run's request wants it. That is nothing to remember beyond the run."""
    agent = overridden(view.agent, view.run.request) if view.run.request else view.agent
    return view if agent is view.agent else replace(view, agent=agent, versions=None)


def stop_if_due(job: Job, view: View) -> None:
    """Raise what ends the run before another step, if anything does."""
    if job.cancel.is_set() or view.run.cancel_requested_at is not None:
        raise RunCancelled
    limit = exceeded(view.run, now())
    if limit is not None:
        raise AtLimit(limit)


async def make_room(job: Job, kernel: Kernel, view: View, policy: Policy, *, force: bool = False) -> tuple[View, Window]:
    """A prompt that leaves room for a reply; the oldest exchanges are paged out for it. WindowFull if that is not enough."""
    window = await open_window(kernel, view, policy)
    if view.acting is not None:
        return view, window
    await kernel.reasoner.settle(window.prompt.affinity)
    lost = lost_prefix(kernel, view, window)
    plan = planned(view, window, policy, watermark(policy.budget, lost, force=force))
    if plan is not None:
        await compact(kernel, view, policy, window, plan, lost or Cause.full, job)
        view = await read(job, kernel)
        window = await open_window(kernel, view, policy)
    elif lost is not None and worth_writing_back(kernel, view, lost):
        window = await open_window(kernel, view, policy, begins=lost)
    used, capacity = window.prompt.segments.used, policy.budget.capacity
    if used > capacity:
        raise WindowFull(used=f"{used:,}", capacity=f"{capacity:,}")
    return view, window


def watermark(budget: Budget, lost: Cause | None, *, force: bool) -> int:
    """The length in tokens above which a prompt is evicted from; 0: whatever may go, goes."""
    if force:
        return 0
    return budget.high if lost is None else budget.cold


async def think(job: Job, kernel: Kernel, view: View, window: Window, policy: Policy) -> Thought:
    """Ask the model; or take the reply of a step that was cut off in the middle of its outside tools."""
    if view.acting is not None and view.acting.reply is not None:
        return Thought(from_json(view.acting.reply), view.acting.id, {call.index: call for call in view.recorded})
    step_id, used = uuid4(), window.prompt.segments.used
    job.tell(StepStarted(view.run.steps, used, policy.budget.window_tokens, step_id, reply_id(step_id)))
    return Thought(await reason(job, kernel, window.prompt), step_id, {})


async def store(turn: Turn, persist: Persist) -> Outcome:
    """Act on the reply and persist the step.

    When somebody else edited a block meanwhile, the memory tools are run again on its newest version.
    """
    tools = turn.ruling.tools
    judged = judge(turn.thought.reply, {**turn.kernel.registry.tools, **tools}, tuple(tools))
    done: dict[int, CallResult] = {}
    while True:
        draft = await drafted(turn, judged, done)
        try:
            stored = await completed(persist(turn.job, turn.kernel, draft))
        except BlocksMoved:
            fresh = await read(turn.job, turn.kernel)
            turn = replace(turn, view=fresh)
        else:
            return outcome(turn, draft, stored)


def outcome(turn: Turn, draft: Draft, stored: Persisted) -> Outcome:
    """What came of the stored step, told to whoever follows. Under ``write_through`` the next has to see everybody's edits."""
    job, progress = turn.job, stored.progress
    if progress.cancelled:
        job.cancel.set()
    after = advanced(turn.view, draft, stored, turn.window.links)
    ended = "state" in draft.run
    if ended:
        # Before it is told: the next input may come at once.
        used = turn.window.prompt.segments.used + sum(message.tokens for message in draft.messages)
        turn.kernel.residents.keep(after, used * CHARS_PER_TOKEN)
        job.ended, job.others_wait = True, progress.others
        job.worth_paging = used > turn.policy.budget.early - NEXT_INPUT_TOKENS
    job.told(progress.events - len(draft.events) + 1, draft.events)
    return Outcome(ended, view=None if ended or turn.policy.write_through or draft.files or draft.shapes else after)


async def drafted(turn: Turn, judged: Judgement, done: dict[int, CallResult]) -> Draft:
    """Run what the reply asks for, and draw up what the step will store."""
    match judged:
        case Plain():
            return await draft_plain(turn)
        case Unusable(reason):
            return await draft_unusable(turn, reason)
        case Calls(ready) if waiting := turn.ruling.waiting(ready):
            return await draft_waiting(turn, waiting)
        case Calls(ready):
            effects = Effects(turn.job, turn.kernel, turn.view, turn.thought.step_id)
            intent = Intent(turn.thought.step_id, turn.view.run.steps, turn.thought.reply, turn.thought.recorded)
            returned = await act(turn.job, turn.kernel, intent, ready, effects, done, turn.ruling)
            turn.clock.lap("act")
            return await draft_calls(turn, returned, effects)
