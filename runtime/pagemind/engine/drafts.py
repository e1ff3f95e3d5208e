"""Drafts: what a finished step will leave in the store, for each kind of reply."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import takewhile
from uuid import UUID

from pagemind.engine.act import Returned, ran
from pagemind.engine.effects import Effects
from pagemind.engine.job import Job
from pagemind.engine.persist import Draft
from pagemind.engine.room import fit
from pagemind.engine.turn import Turn
from pagemind.errors import CallsKeptMalformed
from pagemind.events import CallsMalformed, Event, Replied, RunEnded, StepEnded, ToolReturned
from pagemind.memory.compiler import as_prompt
from pagemind.memory.hits import blocks_used
from pagemind.memory.prefix import Common, Verdict
from pagemind.records import Completion, Epoch, Json, Message, Role, RunState, Step, StopReason, now
from pagemind.records.base import record_of

log = logging.getLogger(__name__)

MALFORMED_IN_A_ROW = 3
UNREADABLE = "(this reply could not be used)"


async def draft_plain(turn: Turn) -> Draft:
    """A reply in words: it is the last of its run, unless a rule wants a tool called before and there is a step left for it."""
    message, due = await assistant(turn, turn.thought.reply), turn.ruling.missing()
    if not due or turn.view.run.steps + 1 >= turn.view.run.limits["max_steps"]:
        cut_off = turn.thought.reply.finish_reason == "length"
        reason = StopReason.max_tokens if cut_off else StopReason.end_turn
        return drafted(turn, [message], [replied(message)], ended=ending(reason))
    note = said(turn.job, turn.thought.step_id, Role.notice, turn.kernel.prose.required(due))
    note.tokens = await turn.kernel.count_added(as_prompt(note))
    return drafted(turn, [message, note], [replied(message)], ended={"attempts": 0})


async def draft_waiting(turn: Turn, waiting: Sequence[str]) -> Draft:
    """A reply with calls that somebody has to answer first: nothing of it runs, and the run ends."""
    message = await assistant(turn, turn.thought.reply)
    message.needs_approval = True
    message.calls = [{**call, "waits": True} if call["id"] in waiting else call for call in message.calls or ()]
    return drafted(turn, [message], [replied(message)], ended=ending(StopReason.requires_approval))


async def draft_unusable(turn: Turn, reason: str) -> Draft:
    """A reply that cannot run: it is kept without its calls, and the model is told; at most three times in a row."""
    reply = turn.thought.reply
    attempt = turn.view.run.attempts + 1
    kept = Completion(reply.text.strip() or UNREADABLE, reasoning=reply.reasoning, usage=reply.usage)
    note = said(turn.job, turn.thought.step_id, Role.notice, turn.kernel.prose.malformed(reason))
    note.tokens = await turn.kernel.count_added(as_prompt(note))
    given_up = attempt > MALFORMED_IN_A_ROW
    error = CallsKeptMalformed(reason, count=attempt).as_dict() if given_up else None
    ended = ending(StopReason.invalid_calls, RunState.failed, error) if given_up else {"attempts": attempt}
    return drafted(turn, [await assistant(turn, kept), note], [CallsMalformed(reason, attempt)], ended=ended)


async def draft_calls(turn: Turn, returned: Sequence[Returned], effects: Effects) -> Draft:
    """A reply that called tools: every call has its return, and the run goes on, unless a rule ends it."""
    reply = turn.thought.reply
    call_message = await assistant(turn, reply)
    messages = [call_message, *(tool_return(turn.job, turn.thought.step_id, each) for each in returned)]
    await fit(turn, messages)
    events: list[Event] = [replied(call_message), *map(tool_event, returned, messages[1:])]
    paged_in = sum(1 for page in effects.recalled if not page.get("resident"))
    ended: Json = ending(StopReason.tool_rule) if turn.ruling.ends(ran(returned)) else {"attempts": 0}
    return drafted(turn, messages, events, ended=ended, effects=effects, paged_in=paged_in)


def drafted(
    turn: Turn,
    messages: Sequence[Message],
    events: Sequence[Event],
    *,
    ended: Json,
    effects: Effects | None = None,
    paged_in: int = 0,
) -> Draft:
    """The draft with the step's row, its counters and its closing events."""
    common = turn.window.beside(turn.view.conversation.prefix)
    if common.verdict == Verdict.broken:
        log.warning("conversation %s: a prompt does not begin with the one before it", turn.view.conversation.id)
    step = step_row(turn, common)
    run = turn.view.run
    values: Json = {
        **ended,
        "steps": run.steps + 1,
        "prompt_tokens": run.prompt_tokens + step.prompt_tokens,
        "cached_tokens": run.cached_tokens + step.cached_tokens,
        "completion_tokens": run.completion_tokens + step.completion_tokens,
    }
    faults = tuple(effects.faults) if effects else ()
    closing: list[Event] = [step_ended(turn, step, messages, len(faults))]
    if "state" in ended:
        closing.append(run_ended(turn, values))
    conversation: Json = {
        **turn.window.rendered,
        "bias_tokens": bias(turn),
        "prefix": turn.window.ledger.as_json(),
        "served_by": turn.thought.reply.served_by or turn.kernel.reasoner.home(turn.window.prompt.affinity),
    }
    if paged_in:
        conversation["paged_in"] = turn.view.conversation.paged_in + paged_in
    return Draft(
        step=step,
        messages=messages,
        events=[*events, *closing],
        author=f"agent:{turn.view.agent.name}",
        edits=effects.edits if effects else (),
        passages=effects.passages if effects else (),
        retold=effects.retold if effects else {},
        vectors=effects.vectors if effects else {},
        files=effects.files if effects else (),
        shapes=effects.shapes if effects else (),
        known={**turn.window.known, **(effects.known if effects else {})},
        faults=faults,
        epoch=written_back(turn) if turn.window.begins else None,
        conversation=conversation,
        run=values,
    )


def ending(reason: StopReason, state: RunState = RunState.completed, error: dict[str, str] | None = None) -> Json:
    """The run's columns when this step is its last."""
    return {"state": state, "stop_reason": reason, "error": error, "attempts": 0}


def step_row(turn: Turn, common: Common) -> Step:
    """The step as a row; tokens as the server reported them, else as we counted."""
    reply, usage = turn.thought.reply, turn.thought.reply.usage
    counted = turn.window.prompt.segments.used
    values = {
        "tenant_id": turn.job.tenant_id,
        "id": turn.thought.step_id,
        "run_id": turn.job.run_id,
        "index": turn.view.run.steps,
        "state": "done",
        "model": reply.model,
        "finish_reason": reply.finish_reason,
        "prompt_tokens": counted if usage.prompt_tokens is None else usage.prompt_tokens,
        "counted_tokens": counted,
        "cached_tokens": usage.cached_tokens or 0,
        "completion_tokens": usage.completion_tokens or 0,
        "epoch": turn.window.epoch,
        "prefix": common.verdict,
        "common_tokens": common.tokens,
        "block_hits": hits_of(turn),
        "timings": dict(turn.clock.laps),
    }
    return record_of(Step, values)


def hits_of(turn: Turn) -> list[str]:
    """The labels of the blocks that the reply drew on; what this run was told and found is offered by the run itself."""
    # They are the newest.
    own = [message.content for message in takewhile(lambda each: each.run_id == turn.job.run_id, reversed(turn.view.messages))]
    return blocks_used(turn.view.blocks, [turn.view.agent.instructions, *own], turn.thought.reply)


def written_back(turn: Turn) -> Epoch:
    """The row of an epoch that began with this step: the blocks were rendered anew and nothing was paged out."""
    conversation, used = turn.view.conversation, turn.window.prompt.segments.used
    return Epoch(
        tenant_id=conversation.tenant_id,
        conversation_id=conversation.id,
        epoch=turn.window.epoch,
        cause=turn.window.begins or "",
        run_id=turn.job.run_id,
        turn=conversation.turns,
        tokens_before=used,
        tokens_after=used,
        summary_tokens=conversation.summary_tokens,
    )


def bias(turn: Turn) -> int:
    """The server's count of this prompt less our own; unchanged where it reports none (or for a reply of an earlier life)."""
    segments, reported = turn.window.prompt.segments, turn.thought.reply.usage.prompt_tokens
    if reported is None or turn.view.acting is not None:
        return segments.correction
    return reported - (segments.used - segments.correction)


def step_ended(turn: Turn, step: Step, messages: Sequence[Message], faults: int) -> StepEnded:
    """The step's closing event."""
    return StepEnded(
        index=step.index,
        prompt_tokens=step.prompt_tokens,
        cached_tokens=step.cached_tokens,
        completion_tokens=step.completion_tokens,
        context_tokens=step.prompt_tokens + sum(message.tokens for message in messages),
        window_tokens=turn.policy.budget.window_tokens,
        counted_tokens=step.counted_tokens,
        common_tokens=step.common_tokens,
        prefix=step.prefix,
        faults=faults,
    )


def run_ended(turn: Turn, values: Json) -> RunEnded:
    """The run's closing event."""
    return RunEnded(
        run_id=turn.job.run_id,
        state=str(values["state"]),
        stop_reason=str(values["stop_reason"]),
        steps=int(values["steps"]),
        prompt_tokens=int(values["prompt_tokens"]),
        completion_tokens=int(values["completion_tokens"]),
        error=values["error"],
    )


def said(job: Job, step_id: UUID | None, role: Role, content: str) -> Message:
    """A message of the step."""
    values = {
        "tenant_id": job.tenant_id,
        "conversation_id": job.conversation_id,
        "run_id": job.run_id,
        "step_id": step_id,
        "role": role,
        "content": content,
        "created_at": now(),
    }
    return record_of(Message, values)


async def assistant(turn: Turn, reply: Completion) -> Message:
    """The assistant's message, with its calls as the model wrote them."""
    message = said(turn.job, turn.thought.step_id, Role.assistant, reply.text)
    message.id = turn.thought.message_id
    message.reasoning = reply.reasoning
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in reply.calls]
    message.calls = calls or None
    # Where we can only estimate, the server's own count is better; it covers what was kept only if everything was kept.
    exact, generated = turn.kernel.reasoner.tokens.exact, reply.usage.completion_tokens
    whole = reply is turn.thought.reply and not reply.reasoning and generated is not None
    message.tokens = generated or 0 if whole and not exact else await turn.kernel.count_added(as_prompt(message))
    return message


def tool_return(job: Job, step_id: UUID | None, each: Returned) -> Message:
    """The return of one call."""
    message = said(job, step_id, Role.tool, each.result.text)
    message.call_id = each.call.id
    message.name = each.call.name
    message.status = each.result.status
    message.recalled = bool(each.result.recalled)
    return message


def replied(message: Message) -> Replied:
    """The event of the assistant's message."""
    return Replied(
        text=message.content,
        reasoning=message.reasoning,
        message_id=message.id,
        step_id=message.step_id,
        calls=tuple(message.calls or ()),
        waits=message.needs_approval,
        at=message.created_at.isoformat(),
    )


def tool_event(each: Returned, message: Message) -> ToolReturned:
    """The event of one call and its return."""
    return ToolReturned(
        call_id=each.call.id,
        name=each.call.name,
        arguments=each.call.arguments,
        result=message.content,
        status=each.result.status,
        milliseconds=each.result.milliseconds,
        effect=each.result.effect,
        recalled=each.result.recalled,
        missed=each.result.missed,
        notes=each.result.notes,
        message_id=message.id,
        step_id=message.step_id,
        at=message.created_at.isoformat(),
    )
