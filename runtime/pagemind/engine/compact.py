"""Compact: the oldest exchanges leave the window behind a summary, and a new epoch begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pagemind.engine.job import Job
from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import Policy
from pagemind.errors import ConversationBusy, ReasonerError
from pagemind.events import Compacted, to_json
from pagemind.faults import reach
from pagemind.memory.pager import Eviction, plan_eviction
from pagemind.memory.summary import outline, shortened
from pagemind.records import Completion, Json, Message, Prompt, PromptMessage, Segments
from pagemind.records.view import Resident
from pagemind.store import conversations, run_events, runs


def planned(view: Resident, segments: Segments, policy: Policy, *, force: bool = False) -> Eviction | None:
    """What should leave the window now that the prompt takes ``segments``; None if nothing has to, or nothing may."""
    resident = sum(message.tokens for message in view.messages)
    return plan_eviction(view.messages, segments.used - resident, policy.budget, force=force)


async def compact(
    kernel: Kernel, view: Resident, policy: Policy, plan: Eviction, used: int, job: Job | None = None
) -> Compacted:
    """Carry the plan out. Without a ``job`` (a person asked for it) no run of the conversation may be going on.

    Raises LeaseLost or ConversationBusy, having changed nothing.
    """
    reach("compact.before_summary")
    work = summarize(kernel, view, policy, plan.messages)
    summary = await (job.unless_cancelled(work) if job else work)
    reach("compact.after_summary")
    rendered = kernel.prose.summary(summary, plan.last_seq)
    values: Json = {
        "resident_from": plan.resident_from,
        "summary": summary,
        "summary_tokens": await kernel.count(rendered),
        "snapshot": None,
        "epoch": view.conversation.epoch + 1,
    }
    event = Compacted(
        messages=len(plan.messages),
        tokens_before=used,
        tokens_after=used - plan.tokens - view.conversation.summary_tokens + values["summary_tokens"],
        epoch=values["epoch"],
        first_seq=plan.first_seq,
        last_seq=plan.last_seq,
    )
    await (roll(kernel, view, values, event) if job is None else roll_in_run(kernel, job, values, event))
    reach("compact.after_commit")
    return event


async def roll_in_run(kernel: Kernel, job: Job, values: Json, event: Compacted) -> None:
    """Begin the new epoch in the middle of a run."""
    async with kernel.database.transaction() as session:
        fenced = await runs.fence(session, job.run_id, job.epoch, events=runs.events_after(1))
        await conversations.page_out(session, job.conversation_id, event.messages, **values)
        await run_events.add(session, job.tenant_id, job.run_id, fenced.events, [to_json(event)])
        reach("compact.before_commit")
    job.told(fenced.events, [event])


async def roll(kernel: Kernel, view: Resident, values: Json, event: Compacted) -> None:
    """Begin the new epoch between runs."""
    async with kernel.database.transaction() as session:
        conversation = await conversations.get(session, view.conversation.id, lock=True)
        if conversation.epoch != view.conversation.epoch or await runs.going_on(session, conversation.id):
            raise ConversationBusy
        await conversations.page_out(session, conversation.id, event.messages, **values)


async def summarize(kernel: Kernel, view: Resident, policy: Policy, messages: Sequence[Message]) -> str:
    """The earlier summary carried on over ``messages``, in pieces that fit the window.

    Where the reasoner gives nothing usable, an outline of the messages stands in: paging must not wait for a model.
    """
    summary = view.conversation.summary
    for piece in pieces(messages, policy.budget.capacity // 2):
        prompt = summary_prompt(kernel, policy, summary, piece)
        try:
            reply = await whole(kernel, prompt)
            text = reply.text.strip()
        except ReasonerError:
            text = ""
        summary = shortened(text or outline(summary, piece), policy.budget.summary_tokens)
    return summary


def summary_prompt(kernel: Kernel, policy: Policy, summary: str, messages: Sequence[Message]) -> Prompt:
    """The call that asks for the new summary."""
    limit = policy.budget.summary_tokens
    # An English word takes about four thirds of a token.
    system = kernel.prose.summarize_system(max_words=limit * 3 // 4)
    return Prompt(
        messages=(
            PromptMessage("system", system),
            PromptMessage("user", kernel.prose.summarize(summary, messages)),
        ),
        max_reply_tokens=limit,
        purpose="summary",
        model=policy.generation.model,
        temperature=policy.generation.temperature,
    )


async def whole(kernel: Kernel, prompt: Prompt) -> Completion:
    """The completion, without telling anybody of its pieces."""
    async for piece in kernel.think(prompt):
        if isinstance(piece, Completion):
            return piece
    return Completion("")


def pieces(messages: Sequence[Message], limit_tokens: int) -> Iterator[list[Message]]:
    """The messages in runs of at most ``limit_tokens``; one that is longer by itself comes alone, cut in its middle."""
    piece: list[Message] = []
    size = 0
    for message in messages:
        tokens = message.tokens
        if tokens > limit_tokens:
            message = message.model_copy(update={"content": shortened(message.content, limit_tokens)})
            tokens = limit_tokens
        if piece and size + tokens > limit_tokens:
            yield piece
            piece, size = [], 0
        piece.append(message)
        size += tokens
    if piece:
        yield piece
