"""Begin: a claimed run's input takes its place in the history, behind a notice of what changed meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pagemind.engine.closing import PASSED_OVER, returns_of
from pagemind.engine.job import Job, RunCancelled
from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import overridden, policy_of
from pagemind.errors import UnknownApproval
from pagemind.events import Event, RunStarted, to_json
from pagemind.faults import reach
from pagemind.memory.compiler import as_prompts, files_revision, paused
from pagemind.memory.notices import foreign_changes, notice_lines
from pagemind.memory.waiting import Pending, answers, asked_by
from pagemind.model.tokens import estimate
from pagemind.records import Agent, Block, BlockRevision, Cause, Conversation, Epoch, Json, Message, Request, Role, Shelf
from pagemind.store import agent_files, agents, blocks, conversations, history, messages, paging, run_events, runs, shelves


@dataclass(frozen=True)
class Waiting:
    """What stands between the history and the run: its input, not yet placed, and edits the history does not tell of."""

    agent: Agent
    conversation: Conversation
    inputs: Sequence[Message]
    changes: Sequence[tuple[Block, Sequence[BlockRevision]]]
    own_runs: frozenset[UUID]
    notice_tokens: int
    last_at: datetime | None
    """When the history's last message was made."""
    asked: Pending | None = None
    """The calls at the end of the history that wait for an answer."""
    shelves: Sequence[Shelf] | None = None
    """The agent's folders with what was opened since the history told of them; None where nothing changed."""
    opened: Sequence[str] = ()


async def begin(job: Job, kernel: Kernel) -> Kernel:
    """Place the run's input at the end of the history, once; a run taken over from a dead worker is only announced again.

    Gives back the kernel to go on with: the one that thinks with the agent's own model.
    """
    waiting = await look(job, kernel)
    kernel = await made_ready(job, kernel, waiting.agent)
    await place(job, kernel, waiting, [RunStarted(run_id=job.run_id, epoch=job.epoch)])
    return kernel


async def place_rest(job: Job, kernel: Kernel) -> None:
    """Place what the run brought beside its answer to calls that waited, once these have their returns."""
    waiting = await look(job, kernel)
    if waiting.inputs:
        await place(job, kernel, waiting, [])


async def place(job: Job, kernel: Kernel, waiting: Waiting, events: Sequence[Event]) -> None:
    """Give the inputs their places, with what has to stand before them.

    While calls wait only the answer to them is placed; a run that does not answer them passes them over. UnknownApproval for an
    answer that came too late.
    """
    inputs, before = await due(job, kernel, waiting)
    placed = [*before, *inputs]
    for message in placed:
        message.stamped = message.role == Role.user and paused(waiting.last_at, message)
        message.tokens = await counted(job, kernel, message)
    async with kernel.database.transaction() as session:
        fenced = await runs.fence(session, job.run_id, job.epoch, events=runs.events_after(len(events)))
        if placed:
            told = {str(block.id): block.revision for block, _ in waiting.changes}
            if waiting.shelves is not None:
                told |= files_revision(waiting.agent)
            values = epoch_values(kernel, waiting, before)
            if "epoch" in values:
                await paging.begin_epoch(session, notices_outgrown(job, waiting, values["epoch"]))
            values["turns"] = waiting.conversation.turns + len(inputs)
            after = await conversations.append(session, job.conversation_id, len(placed), told, **values)
            first = after - len(placed)
            for index, message in enumerate(placed):
                message.seq = first + index
            await history.place(session, inputs)
            await history.add(session, before)
        first_event = fenced.events - len(events) + 1
        await run_events.add(session, job.tenant_id, job.run_id, first_event, [to_json(event) for event in events])
        reach("begin.before_commit")
    reach("begin.after_commit")
    job.told(first_event, events)


async def due(job: Job, kernel: Kernel, waiting: Waiting) -> tuple[list[Message], list[Message]]:
    """The inputs that get their places now, and what stands before them: returns of calls that are passed over, a notice."""
    answering = [message for message in waiting.inputs if message.role == Role.approval]
    if job.request.get("approvals"):
        asked = waiting.asked
        if answering and (asked is None or not answers(asked, Request.from_json(job.request).approvals)):
            given = ", ".join(each["call_id"] for each in job.request["approvals"])
            raise UnknownApproval(given=given[:500], expected=", ".join(asked.waiting) if asked else "none")
        if asked is not None:
            return answering, []
    if not waiting.inputs:
        return [], []
    notice = await notice_message(job, kernel, waiting)
    passed_over = returns_of(waiting.asked, job.run_id, PASSED_OVER) if waiting.asked else []
    return list(waiting.inputs), [*passed_over, *([notice] if notice else [])]


async def made_ready(job: Job, kernel: Kernel, agent: Agent) -> Kernel:
    """The kernel with the newest tools, thinking with the agent's own model, and behind others where nobody waits."""
    kernel.refresh_tools()
    kernel = await kernel.for_agent(overridden(agent, job.request))
    return kernel.behind() if job.background else kernel


async def look(job: Job, kernel: Kernel) -> Waiting:
    """Read what waits."""
    async with kernel.database.transaction() as session:
        inputs = await history.waiting(session, job.run_id)
        conversation = await conversations.get(session, job.conversation_id)
        agent = await agents.get(session, job.agent_id)
        known = {UUID(block_id): int(revision) for block_id, revision in conversation.known_revisions.items()}
        changes = await blocks.changes_since(session, job.agent_id, known) if conversation.snapshot is not None else []
        editors = {revision.run_id for _, revisions in changes for revision in revisions if revision.run_id}
        own_runs = await runs.own_among(session, conversation.id, editors)
        noticed = await history.notice_tokens(session, conversation.id, conversation.resident_from)
        last_at = await history.last_at(session, conversation.id)
        asked = asked_by(await messages.pending(session, conversation.id))
        told, moved, opened = int(conversation.known_revisions.get(str(agent.id), 0)), None, list[str]()
        if conversation.snapshot is not None and told < agent.files_revision:
            moved = await shelves.of_agent(session, agent.id, told)
            opened = [each.name for each in await agent_files.readable(session, agent.id) if each.is_open]
    return Waiting(agent, conversation, inputs, changes, own_runs, noticed, last_at, asked, moved, opened)


async def notice_message(job: Job, kernel: Kernel, waiting: Waiting) -> Message | None:
    """The notice of edits from elsewhere; None if there are none, or if the blocks are rendered anew anyway."""
    changes = foreign_changes(waiting.changes, waiting.own_runs)
    if not (changes or waiting.shelves is not None) or policy_of(waiting.agent, kernel.reasoner).write_through:
        return None
    texts = [kernel.prose.notice(notice_lines(changes))] if changes else []
    if waiting.shelves is not None:
        texts.append(kernel.prose.folders_notice(waiting.shelves, waiting.opened))
    return Message(
        tenant_id=job.tenant_id,
        conversation_id=job.conversation_id,
        run_id=job.run_id,
        role=Role.notice,
        content="\n".join(texts),
    )


async def counted(job: Job, kernel: Kernel, message: Message) -> int:
    """The message's tokens; an estimate where the run is cancelled before a server that keeps silent has counted them."""
    if message.role == Role.approval:
        return 0
    try:
        return await job.unless_cancelled(kernel.count_added(*as_prompts(message)))
    except RunCancelled:
        return estimate(message.content)


def epoch_values(kernel: Kernel, waiting: Waiting, new: Sequence[Message]) -> Json:
    """An end to the epoch, where the notices would outgrow their budget: the next step renders the blocks anew."""
    policy = policy_of(waiting.agent, kernel.reasoner)
    noticed = [message.tokens for message in new if message.role == Role.notice]
    outgrown = bool(noticed) and waiting.notice_tokens + sum(noticed) > policy.notice_budget_tokens
    return {"snapshot": None, "epoch": waiting.conversation.epoch + 1} if outgrown else {}


def notices_outgrown(job: Job, waiting: Waiting, epoch: int) -> Epoch:
    """The row of the epoch that the notices end."""
    conversation = waiting.conversation
    return Epoch(
        tenant_id=job.tenant_id,
        conversation_id=conversation.id,
        epoch=epoch,
        cause=Cause.notices,
        run_id=job.run_id,
        turn=conversation.turns,
        summary_tokens=conversation.summary_tokens,
    )
