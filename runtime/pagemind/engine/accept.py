"""Accept: inputs become a run and its messages in one transaction, and only then are they answered (contract D1, D7).

Where nothing goes on in the conversation and the worker of this process has a hand free, the same transaction claims the run
and gives the messages their places. What the run sees first is known then, and need not be read.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from uuid import UUID

from pagemind.engine.admit import admitted, storable
from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import Limits, limits_of, own_model
from pagemind.engine.worker import Worker
from pagemind.errors import EmptyMessage, IdempotencyConflict, MessageTooLong, StoreBusy, UnknownAgent, UnknownRecord
from pagemind.events import RunStarted, to_json
from pagemind.faults import reach
from pagemind.memory.compiler import as_prompts, paused
from pagemind.records import Approval, Input, Json, Message, Request, Role, Run, RunState, now
from pagemind.records.base import record_of
from pagemind.records.text import clean_text
from pagemind.records.view import Resident, Versions, View
from pagemind.store import opening, runs, views
from pagemind.store.opening import Opened, Opening, Outcome

# English has about four characters a token, other languages fewer: a longer text does not fit the window.
CHARS_PER_TOKEN = 4
NOTHING_ELSE = Request()
REJOIN_SECONDS = 15 * 60.0
"""How long after its first try a client may come back with the same request."""
TRIES = 20
"""How often something in the conversation may have changed between reading it and writing to it."""
HASTY_TRIES = 2
"""After so many of them the messages wait for their places: then only a change of the agent itself can be in the way."""
PAUSE_SECONDS = 0.01
"""The pause after the second try; it grows with each further one."""
COUNT_SECONDS = 0.05
"""What counting the input may take here; where a server is slower to count it, its run waits for it, not the sender."""


@dataclass(frozen=True)
class Asked:
    """What is to be accepted."""

    conversation_id: UUID
    inputs: Sequence[Input]
    request: Request = NOTHING_ELSE
    limits: Limits | None = None
    """None: the agent's own."""
    idempotency_key: str | None = None
    background: bool = False
    extra: Json | None = None
    rejoin_seconds: float = 0.0
    """The conversation's newest run is joined if it brought the same and is not older: a client says that it tries again."""


async def accept(kernel: Kernel, worker: Worker, asked: Asked, *, limit_chars: int) -> Run:
    """Store the inputs and their run; when this returns, neither is ever lost.

    The same key with the same inputs joins the run accepted before. Raises EmptyMessage, MessageTooLong, IdempotencyConflict,
    UnknownRecord (no such conversation), StoreUnavailable (nothing was accepted), PendingApproval and UnknownApproval (calls
    of the conversation wait for an answer, or do not), BadModel.
    """
    inputs = [replace(each, content=checked(each.content, limit_chars)) for each in asked.inputs]
    if not inputs and not asked.request.approvals:
        raise EmptyMessage
    results = kernel.settings.tool_result_limit_chars
    asked = replace(asked, request=storable(asked.request, limit_chars=limit_chars, result_limit_chars=results))
    request_hash = digest(inputs, asked.request)
    if asked.rejoin_seconds and (before := await accepted_before(kernel, asked, request_hash)) is not None:
        return before
    for tried in range(TRIES):
        resident = await known(kernel, asked.conversation_id)
        key = await admitted(kernel, resident, asked.request, asked.idempotency_key, request_hash)
        run = run_of(resident, replace(asked, idempotency_key=key), kernel, request_hash)
        messages = messages_of(run, inputs, asked.request.approvals)
        promised = worker.promise(run.id, background=asked.background)
        outcome: Outcome | None = None
        try:
            hasty = promised and tried < HASTY_TRIES
            places = hasty and await may_begin(kernel, resident, asked.request, messages)
            outcome = await store(kernel, worker, resident, run, messages, promised=promised, places=places)
        finally:
            if outcome is None or outcome.opened not in (Opened.placed, Opened.claimed):
                worker.withdraw(run.id)
        match outcome.opened:
            case Opened.placed | Opened.claimed:
                start = began(resident, run, messages, outcome) if outcome.opened == Opened.placed else None
                worker.take(run, start)
                return run
            case Opened.queued:
                return run
            case Opened.joined:
                return await joined(kernel, outcome.joined or run.id, request_hash)
            case Opened.stale:
                kernel.residents.drop(asked.conversation_id)
                await asyncio.sleep(PAUSE_SECONDS * tried)
    raise StoreBusy("the conversation changes faster than it can be written to")


async def known(kernel: Kernel, conversation_id: UUID) -> Resident:
    """What is known of the conversation, as it may be by now; read where nothing is. UnknownRecord."""
    resident = kernel.residents.get(kernel.database.tenant_id, conversation_id)
    if resident is None:
        async with kernel.database.transaction() as session:
            resident = await views.of_conversation(session, conversation_id)
        if resident.agent.deleted_at is not None:
            raise UnknownAgent(name=str(resident.agent.id))
        if resident.conversation.deleted_at is not None:
            raise UnknownRecord(kind="conversation", id=str(conversation_id))
        kernel.residents.keep(resident)
    return resident


def run_of(resident: Resident, asked: Asked, kernel: Kernel, request_hash: str) -> Run:
    """The run of what is asked."""
    limits = asked.limits or limits_of(resident.agent, kernel.settings)
    values = {
        "tenant_id": resident.conversation.tenant_id,
        "conversation_id": resident.conversation.id,
        "agent_id": resident.agent.id,
        "limits": asdict(limits),
        "request": asked.request.to_json(),
        "idempotency_key": asked.idempotency_key,
        "request_hash": request_hash,
        "background": asked.background,
        "extra": asked.extra or {},
    }
    return record_of(Run, values)


async def may_begin(kernel: Kernel, resident: Resident, request: Request, messages: Sequence[Message]) -> bool:
    """Whether the messages may take their places now, counted, with nothing to be told or done before them."""
    conversation = resident.conversation
    if request.approvals or request.model or (not resident.messages and conversation.next_seq > 1):
        return False
    told = conversation.known_revisions
    if conversation.snapshot is not None and any(told.get(str(each.id), 0) < each.revision for each in resident.blocks):
        return False
    if conversation.snapshot is not None and told.get(str(resident.agent.id), 0) < resident.agent.files_revision:
        return False
    own = own_model(resident.agent)
    if own is not None and own not in kernel.own_reasoners:
        return False
    last_at = resident.messages[-1].created_at if resident.messages else None
    kernel = await kernel.for_agent(resident.agent)
    try:
        async with asyncio.timeout(COUNT_SECONDS):
            for message in messages:
                message.stamped = message.role == Role.user and paused(last_at, message)
                message.tokens = await kernel.count_added(*as_prompts(message))
    except TimeoutError:
        return False
    return True


async def store(
    kernel: Kernel,
    worker: Worker,
    resident: Resident,
    run: Run,
    messages: Sequence[Message],
    *,
    promised: bool,
    places: bool,
) -> Outcome:
    """Store the run and its messages; the run is told what became of it."""
    reach("accept.before_commit")
    outcome = await opening.send(
        kernel.database,
        Opening(
            run=run,
            messages=messages,
            resident=resident,
            worker_id=worker.id if promised else None,
            lease_seconds=kernel.settings.lease_seconds,
            began=to_json(RunStarted(run_id=run.id, epoch=1)) if places else None,
        ),
    )
    if outcome.opened in (Opened.placed, Opened.claimed, Opened.queued):
        reach("accept.after_commit")
        run.position = outcome.position
    if outcome.opened in (Opened.placed, Opened.claimed):
        run.state, run.epoch, run.worker_id, run.started_at = RunState.running, 1, worker.id, run.created_at
        run.events = 1 if outcome.opened == Opened.placed else 0
    return outcome


def began(resident: Resident, run: Run, messages: Sequence[Message], outcome: Outcome) -> View:
    """What the first step of the run sees."""
    first = outcome.next_seq - len(messages)
    for place, message in enumerate(messages):
        message.seq = first + place
    conversation, versions = resident.conversation, resident.known_versions
    changed = {"next_seq": outcome.next_seq, "turns": conversation.turns + len(messages), "updated_at": run.created_at}
    return View(
        agent=resident.agent,
        conversation=conversation.model_copy(update=changed),
        blocks=resident.blocks,
        messages=(*resident.messages, *messages),
        prompted=None if resident.prompted is None else (*resident.prompted, *map(as_prompts, messages)),
        tokens=resident.tokens + sum(message.tokens for message in messages),
        chain=resident.chain,
        archive_id=resident.archive_id,
        shelves=resident.shelves,
        stored_tools=resident.stored_tools,
        versions=Versions(versions.agent, outcome.version, versions.blocks),
        run=run,
        acting=None,
        recorded=(),
    )


def digest(inputs: Sequence[Input], request: Request) -> str:
    """What tells one request from another under the same key."""
    said = json.dumps([[vars(each) for each in inputs], request.to_json()], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()


def messages_of(run: Run, inputs: Sequence[Input], approvals: Sequence[Approval]) -> list[Message]:
    """The run's inputs as messages that wait for their place, a microsecond apart: that is their order."""
    moment = now()
    of_run = {"tenant_id": run.tenant_id, "conversation_id": run.conversation_id, "run_id": run.id}
    rows: list[Json] = [
        {
            "role": each.role,
            "content": each.content,
            "parts": list(each.parts) if each.parts is not None else None,
            "otid": each.otid,
            "sender": each.sender,
            "name": each.name,
        }
        for each in inputs
    ]
    if approvals:
        rows.insert(0, {"role": Role.approval, "approvals": [asdict(each) for each in approvals]})
    return [
        record_of(Message, {**of_run, **row, "created_at": moment + timedelta(microseconds=place)})
        for place, row in enumerate(rows)
    ]


async def accepted_before(kernel: Kernel, asked: Asked, request_hash: str) -> Run | None:
    """The run that the first try of the same request became, if that is the conversation's newest."""
    async with kernel.database.transaction() as session:
        newest = await runs.recent(session, conversation_id=asked.conversation_id, limit=1)
    since = now() - timedelta(seconds=asked.rejoin_seconds)
    return next((run for run in newest if run.request_hash == request_hash and run.created_at > since), None)


async def joined(kernel: Kernel, run_id: UUID, request_hash: str) -> Run:
    """The run accepted before under the same key; IdempotencyConflict if its inputs were others."""
    async with kernel.database.transaction() as session:
        run = await runs.get(session, run_id)
    if run.request_hash != request_hash:
        raise IdempotencyConflict(key=run.idempotency_key)
    return run


def checked(text: str, limit_chars: int) -> str:
    """The text as it will be stored; EmptyMessage or MessageTooLong if it cannot be."""
    if len(text) > limit_chars:
        raise MessageTooLong(length=f"{len(text):,}", unit="characters", limit=f"{limit_chars:,}")
    content = clean_text(text)
    if not content.strip():
        raise EmptyMessage
    return content
