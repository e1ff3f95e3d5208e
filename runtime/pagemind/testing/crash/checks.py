"""What must hold after a trial, whatever died: the contract D1-D6 as questions to the store and to the outside world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from pagemind.engine.act import OUTCOME_UNKNOWN
from pagemind.memory.prefix import Verdict
from pagemind.records import Block, BlockRevision, Conversation, Epoch, Message, MessageEmbedding, Passage, Run, RunEvent, Step
from pagemind.settings import Settings
from pagemind.store.database import Database
from pagemind.testing.crash.scenario import SHORT, TASKS, WHOLE, letters_sent, rooms_booked, task_text

Row = TypeVar("Row", bound=SQLModel)


@dataclass(frozen=True)
class Remains:
    """Everything that a trial left behind. Messages are in the order of their ``seq``, runs in that of acceptance."""

    conversation: Conversation
    runs: Sequence[Run]
    messages: Sequence[Message]
    steps: Sequence[Step]
    events: Sequence[RunEvent]
    block: Block
    revisions: Sequence[BlockRevision]
    passages: Sequence[Passage]
    vectors: Sequence[MessageEmbedding]
    epochs: Sequence[Epoch]
    letters: Sequence[int]
    rooms: Sequence[int]


async def collect(settings: Settings, work_home: Path) -> Remains:
    """Read what the trial's tenant has, and what its tools did outside."""
    async with Database.opened(settings) as database, database.transaction() as session:
        return Remains(
            conversation=(await rows(session, Conversation))[0],
            runs=await rows(session, Run, col(Run.position)),
            messages=await rows(session, Message, col(Message.seq)),
            steps=await rows(session, Step, col(Step.index)),
            events=await rows(session, RunEvent, col(RunEvent.seq)),
            block=(await rows(session, Block))[0],
            revisions=await rows(session, BlockRevision, col(BlockRevision.revision)),
            passages=await rows(session, Passage),
            vectors=await rows(session, MessageEmbedding),
            epochs=await rows(session, Epoch, col(Epoch.epoch)),
            letters=letters_sent(work_home),
            rooms=rooms_booked(work_home),
        )


async def rows(session: AsyncSession, model: type[Row], *order: Any) -> list[Row]:
    """All rows of the table that the session's tenant may see."""
    return list((await session.execute(select(model).order_by(*order))).scalars())


def violations(remains: Remains) -> list[str]:
    """Each broken promise in a sentence; none is what we want."""
    checks = (kept, ended_well, edited_once, archived_once, outside_effects, well_formed, linear, retold, indexed, paged)
    return [f"{check.__name__}: {sentence}" for check in checks for sentence in check(remains)]


def kept(remains: Remains) -> Iterator[str]:
    """D1, D7: every task's input is there, once, whole."""
    said = Counter(message.content for message in remains.messages if message.role == "user")
    for task in range(TASKS):
        if said[task_text(task).strip()] + said[task_text(task)] != 1:
            yield f"the input of task {task} is there {said[task_text(task)]} times"


def ended_well(remains: Remains) -> Iterator[str]:
    """Every run reached its end."""
    for run in remains.runs:
        wanted = "max_steps" if run is remains.runs[-1] else "end_turn"
        if (run.state, run.stop_reason) != ("completed", wanted):
            yield f"run {run.position} is {run.state}, {run.stop_reason}, {run.error}"
    if len(remains.runs) != TASKS:
        yield f"{len(remains.runs)} runs for {TASKS} tasks"


def edited_once(remains: Remains) -> Iterator[str]:
    """D2: each task's edit stands in the block once, and the revisions tell of it without a gap."""
    yield from once("line", remains.block.value.splitlines(), (f"fact {task}" for task in range(TASKS)))
    if [revision.revision for revision in remains.revisions] != list(range(1, remains.block.revision + 1)):
        yield "the revisions have gaps"
    if remains.revisions[-1].value != remains.block.value:
        yield "the newest revision is not the block's value"


def archived_once(remains: Remains) -> Iterator[str]:
    """D2: each task's passage is there once."""
    yield from once("passage", (p.text for p in remains.passages), (f"passage {task}" for task in range(TASKS)))


def outside_effects(remains: Remains) -> Iterator[str]:
    """D4: a letter goes out at most once and the model knows if that is unknown; a room is booked under one key."""
    returns = {message.call_id: message.content for message in remains.messages if message.role == "tool"}
    sent = Counter(remains.letters)
    for task in WHOLE:
        said = returns.get(f"letter-{task}", "")
        if sent[task] > 1:
            yield f"letter {task} went out {sent[task]} times"
        if said == f"letter {task} sent" and sent[task] != 1:
            yield f"the model was told of letter {task}, which went out {sent[task]} times"
        if said not in (f"letter {task} sent", OUTCOME_UNKNOWN):
            yield f"letter {task} has the return {said!r}"
        if returns.get(f"room-{task}") != f"room {task} booked":
            yield f"room {task} has the return {returns.get(f'room-{task}')!r}"
    yield from once("room", map(str, remains.rooms), map(str, WHOLE))


def well_formed(remains: Remains) -> Iterator[str]:
    """D3, D6: the history has no gap, and every call exactly one return before the next thing is said."""
    if [message.seq for message in remains.messages] != list(range(1, len(remains.messages) + 1)):
        yield f"the places are {[message.seq for message in remains.messages]}"
    open_calls: list[str] = []
    for message in remains.messages:
        if message.role == "tool":
            if message.call_id not in open_calls:
                yield f"#{message.seq} returns {message.call_id}, which is not open"
            else:
                open_calls.remove(message.call_id)
        elif open_calls:
            yield f"#{message.seq} follows calls without a return: {open_calls}"
        open_calls += [call["id"] for call in message.calls or ()]
    replies = Counter(message.run_id for message in remains.messages if message.role == "assistant" and not message.calls)
    for run in remains.runs[:SHORT]:
        if replies[run.id] != 1:
            yield f"run {run.position} has {replies[run.id]} last replies"


def linear(remains: Remains) -> Iterator[str]:
    """D5: the runs stand in the history one after the other, as accepted; each with its steps from 0 without a gap."""
    order = list(dict.fromkeys(message.run_id for message in remains.messages))
    if order != [run.id for run in remains.runs]:
        yield "the runs are interleaved or out of order"
    for run in remains.runs:
        steps = [step for step in remains.steps if step.run_id == run.id]
        if [step.index for step in steps] != list(range(run.steps)) or any(step.state != "done" for step in steps):
            yield f"run {run.position} has the steps {[(step.index, step.state) for step in steps]}"


def retold(remains: Remains) -> Iterator[str]:
    """D8: the events of a run are numbered without a gap, and the last, alone, is its end."""
    for run in remains.runs:
        events = [event for event in remains.events if event.run_id == run.id]
        if [event.seq for event in events] != list(range(1, run.events + 1)):
            yield f"run {run.position} has the events {[event.seq for event in events]}"
        ends = [event.seq for event in events if event.data["type"] == "run_ended"]
        if ends != [run.events]:
            yield f"run {run.position} ends at the events {ends} of {run.events}"


def indexed(remains: Remains) -> Iterator[str]:
    """Every message that was said has its vector in the end."""
    lacking = {m.id for m in remains.messages if m.role in ("user", "assistant") and m.content} - {
        vector.message_id for vector in remains.vectors
    }
    if lacking:
        yield f"{len(lacking)} messages have no vector"


def once(what: str, found: Iterable[str], wanted: Iterable[str]) -> Iterator[str]:
    """Each of ``wanted`` exactly once among ``found``."""
    count = Counter(found)
    for each in wanted:
        if count[each] != 1:
            yield f"the {what} {each!r} is there {count[each]} times"


def paged(remains: Remains) -> Iterator[str]:
    """Within an epoch every prompt began with the one before; what left the window is what the epochs tell of, in one row."""
    for step in remains.steps:
        if step.prefix == Verdict.broken:
            yield f"the prompt of step {step.index} of run {step.run_id} does not begin with the one before it"
    out = [epoch for epoch in remains.epochs if epoch.messages]
    ends = [0, *(epoch.last_seq or 0 for epoch in out)]
    if [epoch.first_seq for epoch in out] != [end + 1 for end in ends[:-1]] or ends[
        -1
    ] + 1 != remains.conversation.resident_from:
        yield f"the epochs paged out {[(epoch.first_seq, epoch.last_seq) for epoch in out]}"
    if sum(epoch.messages for epoch in out) != remains.conversation.paged_out:
        yield f"{remains.conversation.paged_out} messages were paged out, the epochs tell of others"
