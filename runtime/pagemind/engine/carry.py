"""Carry: a claimed run, from its input to its stop reason."""

from __future__ import annotations

from pagemind.engine.begin import begin, made_ready
from pagemind.engine.decide import decided
from pagemind.engine.job import Job, RunCancelled, completed
from pagemind.engine.kernel import Kernel
from pagemind.engine.persist import Persist, persist
from pagemind.engine.step import AtLimit, as_asked, run_step
from pagemind.errors import LeaseLost, PagemindError, StoreUnavailable, WindowFull
from pagemind.events import RunEnded, to_json
from pagemind.faults import reach
from pagemind.records import RunState, StopReason
from pagemind.store import run_events, runs


async def carry(job: Job, kernel: Kernel, persist: Persist = persist) -> None:
    """Make steps until the run ends. What ends it is recorded in the run.

    LeaseLost and StoreUnavailable pass through: then this worker cannot say anything about the run any more, and whoever
    claims it next goes on from the last step that was stored.
    """
    try:
        start, job.start = job.start, None
        kernel = await begin(job, kernel) if start is None else await made_ready(job, kernel, start.agent)
        if job.request.get("approvals") and await decided(job, kernel, persist):
            return
        outcome = await run_step(job, kernel, start and as_asked(start), persist)
        while not outcome.ended:
            outcome = await run_step(job, kernel, outcome.view, persist)
    except RunCancelled:
        await finish(job, kernel, RunState.cancelled, StopReason.cancelled)
    except AtLimit as limit:
        await finish(job, kernel, RunState.completed, limit.reason)
    except WindowFull as error:
        await finish(job, kernel, RunState.failed, StopReason.window_full, error)
    except (LeaseLost, StoreUnavailable):
        raise
    except PagemindError as error:
        await finish(job, kernel, RunState.failed, StopReason.error, error)


async def finish(job: Job, kernel: Kernel, state: RunState, reason: StopReason, error: PagemindError | None = None) -> None:
    """Store how the run ended, outside of any step."""
    await completed(write_end(job, kernel, state, reason, error))


async def write_end(job: Job, kernel: Kernel, state: RunState, reason: StopReason, error: PagemindError | None) -> None:
    """Write the run's end and its closing event in one transaction."""
    cause = None if error is None else error.as_dict()
    async with kernel.database.transaction() as session:
        fenced = await runs.fence(
            session,
            job.run_id,
            job.epoch,
            events=runs.events_after(1),
            state=state,
            stop_reason=reason,
            error=cause,
            finished_at=runs.at_commit(),
        )
        run = await runs.get(session, job.run_id)
        event = RunEnded(job.run_id, state, reason, run.steps, run.prompt_tokens, run.completion_tokens, cause)
        await run_events.add(session, job.tenant_id, job.run_id, fenced.events, [to_json(event)])
        reach("finish.before_commit")
    reach("finish.after_commit")
    job.ended = True
    job.told(fenced.events, [event])
