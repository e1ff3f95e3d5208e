"""Compact: the oldest exchanges leave the window behind a summary, and a new epoch begins."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

from pagemind.engine.job import Job
from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import Policy, policy_of
from pagemind.engine.summarize import Spent, Summary, summarize, whole
from pagemind.engine.window import Window, open_window
from pagemind.errors import ConversationBusy, ReasonerError
from pagemind.events import Compacted, to_json
from pagemind.faults import reach
from pagemind.memory.compiler import files_revision, revisions
from pagemind.memory.faulting import worth_keeping
from pagemind.memory.pager import Eviction, plan_eviction
from pagemind.records import Cause, Epoch, Json
from pagemind.records.view import Resident
from pagemind.store import conversations, paging, run_events, runs, views
from pagemind.store.database import AsyncSession


def planned(view: Resident, window: Window, policy: Policy, above: int) -> Eviction | None:
    """What should leave the window if the prompt has more than ``above`` tokens; None if nothing has to, or nothing may."""
    segments = window.prompt.segments
    if segments.used + (view.messages[-1].tokens if view.messages else 0) <= above:
        return None  # as nearly always, and without a look at each message
    fixed = segments.used - segments.messages - segments.summary
    return plan_eviction(view.messages, fixed, segments.summary, policy.budget, above)


async def compact(
    kernel: Kernel, view: Resident, policy: Policy, window: Window, plan: Eviction, cause: Cause, job: Job | None = None
) -> Epoch:
    """Carry the plan out and tell of it; how the new epoch began. Without a ``job`` no run of the conversation may be going on.

    Raises LeaseLost or ConversationBusy, having changed nothing.
    """
    since = perf_counter()
    reach("compact.before_summary")
    work = summarize(kernel, view, policy, window, plan.messages, cause)
    summary = await (job.unless_cancelled(work) if job else work)
    kept = await keep(kernel, view, policy, plan)
    reach("compact.after_summary")
    rendered = kernel.prose.summary(summary.text, plan.last_seq, kept)
    values: Json = {
        "resident_from": plan.resident_from,
        "summary": summary.text,
        "summary_tokens": await kernel.count(rendered),
        "kept": kept,
        "snapshot": kernel.prose.blocks(view.blocks, view.shelves),
        "epoch": view.conversation.epoch + 1,
    }
    epoch = beginning(view, window, plan, values, summary, cause)
    epoch.milliseconds = round((perf_counter() - since) * 1000, 1)
    await (roll(kernel, view, values, epoch) if job is None else roll_in_run(kernel, job, view, values, epoch))
    reach("compact.after_commit")
    return epoch


async def keep(kernel: Kernel, view: Resident, policy: Policy, plan: Eviction) -> list[Json]:
    """The paged-out messages that searches brought back so often that they stay in view: ``seq, text`` of each."""
    if not policy.keep_tokens:
        return []
    async with kernel.database.transaction() as session:
        faulted = await paging.fault_counts(session, view.conversation.id, plan.last_seq)
        candidates = await paging.messages_at(session, view.conversation.id, list(faulted))
    chosen = worth_keeping(candidates, faulted, policy.keep_tokens)
    return [{"seq": each.seq, "text": f"{each.role} {each.created_at:%Y-%m-%d}: {each.content}"} for each in chosen]


def beginning(view: Resident, window: Window, plan: Eviction, values: Json, summary: Summary, cause: Cause) -> Epoch:
    """The row that tells how the epoch began."""
    conversation, used = view.conversation, window.prompt.segments.used
    return Epoch(
        tenant_id=conversation.tenant_id,
        conversation_id=conversation.id,
        epoch=values["epoch"],
        cause=cause,
        turn=conversation.turns,
        first_seq=plan.first_seq,
        last_seq=plan.last_seq,
        messages=len(plan.messages),
        tokens_out=plan.tokens,
        tokens_before=used,
        tokens_after=used - plan.tokens - conversation.summary_tokens + values["summary_tokens"],
        summary_tokens=values["summary_tokens"],
        kept=[each["seq"] for each in values["kept"]],
        prompt_tokens=summary.spent.prompt,
        cached_tokens=summary.spent.cached,
        completion_tokens=summary.spent.completion,
    )


async def roll_in_run(kernel: Kernel, job: Job, view: Resident, values: Json, epoch: Epoch) -> None:
    """Begin the epoch in the middle of a run."""
    epoch.run_id = job.run_id
    event = replace(compacted(epoch), summary=values["summary"])
    async with kernel.database.transaction() as session:
        fenced = await runs.fence(session, job.run_id, job.epoch, events=runs.events_after(1))
        await write(session, view, values, epoch)
        await run_events.add(session, job.tenant_id, job.run_id, fenced.events, [to_json(event)])
        reach("compact.before_commit")
    job.told(fenced.events, [event])


async def roll(kernel: Kernel, view: Resident, values: Json, epoch: Epoch) -> None:
    """Begin the epoch between runs."""
    event = compacted(epoch)
    async with kernel.database.transaction() as session:
        conversation = await conversations.get(session, view.conversation.id, lock=True)
        if conversation.epoch != view.conversation.epoch or await runs.going_on(session, conversation.id):
            raise ConversationBusy
        await write(session, view, values, epoch)
        reach("compact.before_commit")
    kernel.hub.publish(view.conversation.id, event)


async def write(session: AsyncSession, view: Resident, values: Json, epoch: Epoch) -> None:
    """Store the epoch: its row, and what the conversation's prompt begins with from now on."""
    await conversations.page_out(
        session, view.conversation.id, epoch.messages, {**revisions(view.blocks), **files_revision(view.agent)}, **values
    )
    await paging.begin_epoch(session, epoch)


async def warm(kernel: Kernel, view: Resident, epoch: Epoch) -> None:
    """Have the new prefix computed while nobody waits for it: the prompt of the next step, asked for one token."""
    async with kernel.database.transaction() as session:
        view = await views.of_conversation(session, view.conversation.id)
    window = await open_window(kernel, view, policy_of(view.agent, kernel.reasoner))
    spent = Spent()
    try:
        request = replace(window.prompt, max_reply_tokens=1, purpose="warm", tool_choice="none")
        spent.add((await whole(kernel, request)).usage)
    except ReasonerError:
        return
    async with kernel.database.transaction() as session:
        await paging.add_spent(session, epoch, prompt=spent.prompt, cached=spent.cached, completion=spent.completion)


def compacted(epoch: Epoch) -> Compacted:
    """The event that tells of it."""
    return Compacted(
        messages=epoch.messages,
        tokens_before=epoch.tokens_before,
        tokens_after=epoch.tokens_after,
        epoch=epoch.epoch,
        first_seq=epoch.first_seq or 0,
        last_seq=epoch.last_seq or 0,
        cause=epoch.cause,
        summary_tokens=epoch.summary_tokens,
        kept=len(epoch.kept),
        milliseconds=epoch.milliseconds,
        prompt_tokens=epoch.prompt_tokens,
        cached_tokens=epoch.cached_tokens,
    )
