"""Act: the calls of one reply, in order. Memory tools leave effects for `persist`; outside tools are recorded (contract D4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from pagemind.engine.effects import Effects
from pagemind.engine.job import Job, RunCancelled, completed
from pagemind.engine.kernel import Kernel
from pagemind.engine.replies import to_json
from pagemind.engine.ruling import Ruling
from pagemind.faults import reach
from pagemind.memory.rules import NOT_CALLED, Called, violation
from pagemind.records import CallRequest, Completion, Step, ToolCall
from pagemind.store import runs, steps
from pagemind.toolbox.calls import CallResult, ReadyCall, run_call

OUTCOME_UNKNOWN = (
    "Outcome unknown: the runtime was stopped while this tool ran. It may or may not have taken effect, and it was not "
    "repeated. Check before you call it again."
)
CUT_OFF = "Cancelled by the user while it ran: its outcome is unknown."
NOT_RUN = "Not run: the user cancelled."


@dataclass(frozen=True)
class Intent:
    """What makes a call repeatable after a crash: the step's identity, the reply it acts on, the calls recorded before."""

    step_id: UUID
    index: int
    reply: Completion
    recorded: Mapping[int, ToolCall]


@dataclass(frozen=True)
class Returned:
    """A call and its return."""

    call: CallRequest
    result: CallResult


async def act(
    job: Job,
    kernel: Kernel,
    intent: Intent,
    calls: Sequence[ReadyCall],
    effects: Effects,
    done: dict[int, CallResult],
    ruling: Ruling,
) -> list[Returned]:
    """Run the calls, one after the other. A refusal or failure is a return like any other, and so is what a rule says.

    ``done`` keeps the results of outside calls, so that acting again on newer blocks does not repeat them.
    """
    returned: list[Returned] = []
    for index, call in enumerate(calls):
        allowed = ruling.allowed(ran(returned))
        if call.spec.name in allowed.tools:
            returned.append(Returned(call.request, await one(job, kernel, intent, index, call, effects, done)))
        else:
            returned.append(Returned(call.request, stopped(violation(call.spec.name, allowed))))
    reach("act.done")
    return returned


def ran(returned: Sequence[Returned]) -> list[Called]:
    """Those that were called, as the rules count them."""
    texts = ((each.call.name, each.result.text) for each in returned)
    return [Called(name, text) for name, text in texts if not text.startswith(NOT_CALLED)]


async def one(
    job: Job, kernel: Kernel, intent: Intent, index: int, call: ReadyCall, effects: Effects, done: dict[int, CallResult]
) -> CallResult:
    """Run one call of the reply, the one at ``index``."""
    effects.effect, before = "", (len(effects.recalled), len(effects.missed), len(effects.notes))
    if call.spec.effect == "transactional":
        result = await inside(job, kernel, call, effects)
    else:
        result = done[index] if index in done else await outside(job, kernel, intent, index, call, effects)
        done[index] = result
    return replace(
        result,
        effect=effects.effect or result.effect,
        recalled=tuple(effects.recalled[before[0] :]),
        missed=tuple(effects.missed[before[1] :]),
        notes=tuple(effects.notes[before[2] :]),
    )


async def inside(job: Job, kernel: Kernel, call: ReadyCall, effects: Effects) -> CallResult:
    """A tool that acts through Syscalls only: it may run as often as need be, its effects commit with the step."""
    try:
        return await job.unless_cancelled(called(kernel, call, effects, key=""))
    except RunCancelled:
        return stopped(NOT_RUN)


async def outside(job: Job, kernel: Kernel, intent: Intent, index: int, call: ReadyCall, effects: Effects) -> CallResult:
    """A tool with effects of its own: recorded before it runs and after, repeated only if it said that it may be."""
    before = intent.recorded.get(index)
    if before is not None and before.state == "done":
        return CallResult(text=before.result or "", status=before.status)
    if before is not None and call.spec.effect == "at_most_once":
        return stopped(OUTCOME_UNKNOWN)
    if job.cancel.is_set():
        return stopped(NOT_RUN)
    reach("act.before_intent")
    await completed(record_start(job, kernel, intent, index, call))
    reach("act.after_intent")
    try:
        key = f"{job.run_id}/{intent.index}/{index}"
        result = await job.unless_cancelled(called(kernel, call, effects, key=key))
    except RunCancelled:
        result = stopped(CUT_OFF)
    reach("act.after_call")
    await completed(record_end(job, kernel, intent, index, result))
    reach("act.after_record")
    return result


async def called(kernel: Kernel, call: ReadyCall, effects: Effects, *, key: str) -> CallResult:
    """Run the tool itself, within its time and with a result of bounded length."""
    settings, limit = kernel.settings, call.spec.result_limit_chars
    limit_chars = min(limit, settings.tool_result_limit_chars) if limit else settings.tool_result_limit_chars
    return await run_call(call, effects, key=key, timeout_seconds=settings.tool_seconds, limit_chars=limit_chars)


async def record_start(job: Job, kernel: Kernel, intent: Intent, index: int, call: ReadyCall) -> None:
    """Store the step with its reply, so that the model is not asked again, and the call as started."""
    step = Step(
        tenant_id=job.tenant_id,
        id=intent.step_id,
        run_id=job.run_id,
        index=intent.index,
        state="acting",
        reply=to_json(intent.reply),
        model=intent.reply.model,
    )
    async with kernel.database.transaction() as session:
        await runs.fence(session, job.run_id, job.epoch)
        await steps.put(session, step)
        await steps.start_call(
            session,
            ToolCall(tenant_id=job.tenant_id, step_id=step.id, index=index, run_id=job.run_id, name=call.spec.name),
        )


async def record_end(job: Job, kernel: Kernel, intent: Intent, index: int, result: CallResult) -> None:
    """Store the call's outcome."""
    async with kernel.database.transaction() as session:
        await runs.fence(session, job.run_id, job.epoch)
        await steps.end_call(session, intent.step_id, index, result=result.text, status=result.status)


def stopped(text: str) -> CallResult:
    """A return in the place of one that never came."""
    return CallResult(text=text, status="error")
