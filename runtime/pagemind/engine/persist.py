"""Persist: a step becomes history in one transaction, or not at all (contract D2, D3, D6)."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from pagemind.engine.effects import BlockEdit
from pagemind.engine.job import Job
from pagemind.engine.kernel import Kernel
from pagemind.events import Event, to_json
from pagemind.faults import reach
from pagemind.records import Block, Epoch, Json, Message, PageFault, Passage, Step, edit_to_json
from pagemind.store import blocks, embeddings, paging, passages
from pagemind.store.database import AsyncSession
from pagemind.store.progress import store_step


@dataclass(frozen=True)
class Persisted:
    """What only the store could tell of a step: the events of its run so far, the blocks it wrote, what its history knows.

    ``cancelled``: somebody asked for the run to be cancelled.
    """

    events: int
    cancelled: bool
    blocks: Mapping[UUID, Block]
    known: Mapping[str, int]


class Persist(Protocol):
    """How a step is stored. There is one way; the crash harness has a second, broken one, to show that it is caught."""

    def __call__(self, job: Job, kernel: Kernel, draft: Draft, /) -> Coroutine[Any, Any, Persisted]:
        """Store the step; BlocksMoved or LeaseLost, having changed nothing."""
        ...


class BlocksMoved(Exception):
    """A block that the step edits has a newer version than the one it saw: act again on the newest (contract D5)."""


@dataclass(frozen=True)
class Draft:
    """A finished step before it is stored. ``messages`` have no ``seq`` yet."""

    step: Step
    messages: Sequence[Message]
    events: Sequence[Event]
    author: str
    edits: Sequence[BlockEdit] = ()
    passages: Sequence[Passage] = ()
    vectors: Mapping[UUID, list[float]] = field(default_factory=dict[UUID, list[float]])
    known: dict[str, int] = field(default_factory=dict[str, int])
    faults: Sequence[PageFault] = ()
    epoch: Epoch | None = None
    """How the epoch began, where it began with this step."""
    conversation: Json = field(default_factory=dict[str, object])
    run: Json = field(default_factory=dict[str, object])


async def persist(job: Job, kernel: Kernel, draft: Draft) -> Persisted:
    """Store the step: messages, block edits with their revisions, passages, the step row, counters, events.

    Raises BlocksMoved or LeaseLost, having changed nothing.
    """
    async with kernel.database.transaction() as session:
        written = await write_edits(session, job, draft)
        await write_passages(session, job, kernel, draft)
        await write_paging(session, draft)
        known = {**draft.known, **told_of(draft, written)}
        reach("persist.mid_transaction")
        progress = await store_step(
            session,
            draft.step,
            epoch=job.epoch,
            conversation_id=job.conversation_id,
            run=draft.run,
            conversation=draft.conversation,
            known=known,
            messages=draft.messages,
            events=[to_json(event) for event in draft.events],
        )
        reach("persist.before_commit")
    reach("persist.after_commit")
    job.told(progress.events - len(draft.events) + 1, draft.events)
    return Persisted(progress.events, progress.cancelled, {block.id: block for block in written}, known)


async def write_edits(session: AsyncSession, job: Job, draft: Draft) -> list[Block]:
    """Store the edits, each with its revision; the blocks after each. Raises BlocksMoved."""
    if not draft.edits:
        return []
    locked = await blocks.lock(session, {edit.block_id for edit in draft.edits})
    for edit in draft.edits:
        if edit.block_id not in locked or locked[edit.block_id].revision != edit.seen_revision:
            raise BlocksMoved
    written: list[Block] = []
    for edit in draft.edits:
        locked[edit.block_id] = await blocks.write(
            session,
            locked[edit.block_id],
            edit.value,
            author=draft.author,
            edit=edit_to_json(edit.edit),
            run_id=job.run_id,
            step_id=draft.step.id,
        )
        written.append(locked[edit.block_id])
    return written


def told_of(draft: Draft, written: Sequence[Block]) -> dict[str, int]:
    """The revisions that the history tells of with this step.

    A block that somebody else changed unseen keeps its older known revision, so that the next notice tells of it.
    """
    seen = {edit.block_id: edit.seen_revision for edit in draft.edits}
    return {str(block.id): block.revision for block in written if draft.known.get(str(block.id)) == seen[block.id]}


async def write_paging(session: AsyncSession, draft: Draft) -> None:
    """Store what paging did: messages that came back, an epoch that began."""
    if draft.faults:
        await paging.add_faults(session, draft.faults)
    if draft.epoch is not None:
        await paging.begin_epoch(session, draft.epoch)


async def write_passages(session: AsyncSession, job: Job, kernel: Kernel, draft: Draft) -> None:
    """Store the passages with the vectors that are there already."""
    for passage in draft.passages:
        await passages.insert(session, passage)
    if draft.vectors:
        await embeddings.bind_model(session, job.tenant_id, kernel.embedder.name, kernel.embedder.dimensions)
        await embeddings.put(session, kernel.embedder.name, "passage", draft.vectors)
