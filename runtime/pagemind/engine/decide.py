"""Decide: a run that answers calls which wait carries the answer out before anything else.

Approved calls run, denied ones are told so, what the client's own tools gave is taken over. All returns are stored as one step
that no model call belongs to, so that a crash in the middle goes on as it does in any step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from uuid import UUID, uuid4

from pagemind.engine.act import Intent, Returned, one, ran, stopped
from pagemind.engine.advance import advanced
from pagemind.engine.begin import place_rest
from pagemind.engine.drafts import ending, tool_event, tool_return
from pagemind.engine.effects import Effects
from pagemind.engine.job import Job, completed
from pagemind.engine.kernel import Kernel
from pagemind.engine.persist import BlocksMoved, Draft, Persist
from pagemind.engine.room import count_returns
from pagemind.engine.ruling import Ruling, ruling_of
from pagemind.engine.step import read
from pagemind.events import RunEnded
from pagemind.faults import reach
from pagemind.memory.rules import DENIED
from pagemind.memory.waiting import Pending, pending
from pagemind.records import Approval, CallRequest, Completion, Request, RunState, Step, StopReason
from pagemind.records.text import clean_text
from pagemind.records.view import View
from pagemind.store import history
from pagemind.toolbox.calls import CallResult, MalformedCalls, ReadyCall, cut_middle, validate
from pagemind.toolbox.registry import ToolSpec

DECISION = -1
"""The index of the step: before the first model call of its run."""
NO_RESULT = "The client was to run this tool and gave no result."


@dataclass(frozen=True)
class Answer:
    """A question, what was answered, and the step that carries it out."""

    asked: Pending
    approvals: Mapping[str, Approval]
    step_id: UUID
    index: int = DECISION

    @property
    def intent_reply(self) -> Completion:
        """The calls as the reply of a model, for the record of outside tools."""
        return Completion("", calls=self.asked.calls)


async def decided(job: Job, kernel: Kernel, persist: Persist) -> bool:
    """Carry out the run's answer, once, and place what else it brought; whether the run ended with that."""
    view = await read(job, kernel)
    asked = pending(view.messages)
    ended = asked is not None and await carry_out(job, kernel, view, asked, persist)
    if not ended:
        await place_rest(job, kernel)
    return ended


async def carry_out(job: Job, kernel: Kernel, view: View, asked: Pending, persist: Persist) -> bool:
    """Answer the calls and store their returns; whether the run ended with them.

    When somebody else edited a block meanwhile, the memory tools are run again on its newest version.
    """
    approvals = {each.call_id: each for each in Request.from_json(view.run.request).approvals}
    answer = Answer(asked, approvals, view.acting.id if view.acting else uuid4())
    more = await brings_more(job, kernel)
    done: dict[int, CallResult] = {}
    while True:
        draft = await drafted(job, kernel, view, answer, done, more=more)
        try:
            stored = await completed(persist(job, kernel, draft))
        except BlocksMoved:
            view = await read(job, kernel)
        else:
            break
    progress, job.ended = stored.progress, "state" in draft.run
    if progress.cancelled:
        job.cancel.set()
    if job.ended:
        kernel.residents.keep(advanced(view, draft, stored))
        job.others_wait = progress.others
    job.told(progress.events - len(draft.events) + 1, draft.events)
    return job.ended


async def brings_more(job: Job, kernel: Kernel) -> bool:
    """Whether the run has inputs beside its answer."""
    async with kernel.database.transaction() as session:
        return bool(await history.waiting(session, job.run_id))


async def drafted(job: Job, kernel: Kernel, view: View, answer: Answer, done: dict[int, CallResult], *, more: bool) -> Draft:
    """Run what was approved, and draw up what the step will store."""
    since = perf_counter()
    tools = kernel.tools_of(view)
    effects = Effects(job, kernel, view, answer.step_id)
    returned = await returns(job, kernel, view, answer, tools, effects, done)
    messages = [tool_return(job, answer.step_id, each) for each in returned]
    await count_returns(kernel, [answer.asked.message, *messages])
    step = Step(
        tenant_id=job.tenant_id,
        id=answer.step_id,
        run_id=job.run_id,
        index=answer.index,
        epoch=view.conversation.epoch,
        timings={"act": round((perf_counter() - since) * 1000, 2)},
    )
    ended = not more and ends(ruling_of(view, tools), returned)
    run = view.run
    closing = [RunEnded(run.id, RunState.completed, StopReason.tool_rule, run.steps, run.prompt_tokens, run.completion_tokens)]
    return Draft(
        step=step,
        messages=messages,
        events=[*map(tool_event, returned, messages), *(closing if ended else ())],
        author=f"agent:{view.agent.name}",
        edits=effects.edits,
        passages=effects.passages,
        retold=effects.retold,
        vectors=effects.vectors,
        files=effects.files,
        shapes=effects.shapes,
        known={**view.conversation.known_revisions, **effects.known},
        faults=tuple(effects.faults),
        run=ending(StopReason.tool_rule) if ended else {},
    )


def ends(ruling: Ruling, returned: Sequence[Returned]) -> bool:
    """Whether a call that ran ends the run."""
    return ruling.ends([each for each in ran(returned) if each.result != NO_RESULT])


async def returns(
    job: Job,
    kernel: Kernel,
    view: View,
    answer: Answer,
    tools: Mapping[str, ToolSpec],
    effects: Effects,
    done: dict[int, CallResult],
) -> list[Returned]:
    """The calls with their returns, in order. Those of the reply that needed no answer run with the others."""
    intent = Intent(answer.step_id, answer.index, answer.intent_reply, {call.index: call for call in view.recorded})
    returned: list[Returned] = []
    for index, request in enumerate(answer.asked.calls):
        approval = answer.approvals.get(request.id)
        call, fault = ready(request, kernel, tools)
        result = given(approval, kernel.settings.tool_result_limit_chars) or fault
        if result is None and call is not None:
            result = await one(job, kernel, intent, index, call, effects, done)
        returned.append(Returned(request, result or stopped(NO_RESULT)))
    reach("act.done")
    return returned


def given(approval: Approval | None, limit_chars: int) -> CallResult | None:
    """What the answer itself says of the call's result; None where the call is to run."""
    if approval is None or (approval.approve and approval.result is None):
        return None
    if approval.result is not None:
        return CallResult(cut_middle(clean_text(approval.result), limit_chars), approval.status)
    reason = clean_text(approval.reason).strip()
    return stopped(f"{DENIED} Reason: {cut_middle(reason, limit_chars)}" if reason else DENIED)


def ready(request: CallRequest, kernel: Kernel, tools: Mapping[str, ToolSpec]) -> tuple[ReadyCall | None, CallResult | None]:
    """The call as one that may run; or why it cannot, since tools may have gone meanwhile."""
    checked = validate([request], {**kernel.registry.tools, **tools}, tuple(tools))
    if isinstance(checked, MalformedCalls):
        return None, stopped(checked.reason)
    return checked[0], stopped(NO_RESULT) if checked[0].spec.client else None
