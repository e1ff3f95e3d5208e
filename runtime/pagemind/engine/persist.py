"""Persist: a step becomes history in one transaction, or not at all (contract D2, D3, D6)."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from pagemind.engine.effects import BlockEdit, BlockMade, BlockRemoved, BlockRenamed, BlockShape, FileChange
from pagemind.engine.job import Job
from pagemind.engine.kernel import Kernel
from pagemind.events import Event, to_json
from pagemind.faults import reach
from pagemind.records import Block, Epoch, Json, Message, PageFault, Passage, Step, edit_to_json, now
from pagemind.store import agent_files, block_lists, blocks, embeddings, once, paging
from pagemind.store.database import AsyncSession
from pagemind.store.progress import Progress, Stride, store_alone, store_step


@dataclass(frozen=True)
class Persisted:
    """What only the store could tell of a step: its run's progress, the blocks it wrote, what its history knows."""

    progress: Progress
    blocks: Mapping[UUID, Block]
    known: Mapping[str, int]


class Persist(Protocol):
    """How a step is stored. There is one way; the crash harness has a second, broken one, to show that it is caught."""

    def __call__(self, job: Job, kernel: Kernel, draft: Draft, /) -> Coroutine[Any, Any, Persisted]:
        """Store the step; BlocksMoved or LeaseLost, having changed nothing."""
        ...


class BlocksMoved(Exception):
    """What the step changes is not as it saw it: a block has a newer version (contract D5), or the archive has by now what it
    would store. Act again on the newest."""


@dataclass(frozen=True)
class Draft:
    """A finished step before it is stored. ``messages`` have no ``seq`` yet."""

    step: Step
    messages: Sequence[Message]
    events: Sequence[Event]
    author: str
    edits: Sequence[BlockEdit] = ()
    passages: Sequence[Passage] = ()
    retold: Mapping[UUID, Passage] = field(default_factory=dict[UUID, Passage])
    """What stands in the archive already, by its id, as the step says it again."""
    vectors: Mapping[str, Mapping[UUID, list[float]]] = field(default_factory=dict[str, Mapping[UUID, list[float]]])
    """Of the passages, by the model that made them."""
    files: Sequence[FileChange] = ()
    shapes: Sequence[BlockShape] = ()
    known: dict[str, int] = field(default_factory=dict[str, int])
    faults: Sequence[PageFault] = ()
    epoch: Epoch | None = None
    """How the epoch began, where it began with this step."""
    conversation: Json = field(default_factory=dict[str, object])
    run: Json = field(default_factory=dict[str, object])

    @property
    def alone(self) -> bool:
        """Whether the step leaves nothing but itself."""
        return not (
            self.edits or self.passages or self.retold or self.vectors or self.files or self.shapes or self.faults or self.epoch
        )

    def stride(self, job: Job, known: dict[str, int]) -> Stride:
        """The step as the store takes it."""
        events = [to_json(event) for event in self.events]
        return Stride(self.step, job.epoch, job.conversation_id, self.run, self.conversation, known, self.messages, events)


async def persist(job: Job, kernel: Kernel, draft: Draft) -> Persisted:
    """Store the step: messages, block edits with their revisions, passages, the step row, counters, events.

    Raises BlocksMoved or LeaseLost, having changed nothing.
    """
    if draft.alone:
        reach("persist.before_commit")
        progress = await store_alone(kernel.database, job.tenant_id, draft.stride(job, draft.known))
        stored = Persisted(progress, {}, draft.known)
    else:
        stored = await persist_all(job, kernel, draft)
    reach("persist.after_commit")
    return stored


async def persist_all(job: Job, kernel: Kernel, draft: Draft) -> Persisted:
    """Store the step and all that it leaves beside itself."""
    async with kernel.database.transaction() as session:
        await write_shapes(session, job, draft)
        written = await write_edits(session, job, draft)
        await write_passages(session, job, draft)
        await write_paging(session, draft)
        known = {**draft.known, **told_of(draft, written), **await write_files(session, job, draft)}
        reach("persist.mid_transaction")
        progress = await store_step(session, draft.stride(job, known))
        reach("persist.before_commit")
    return Persisted(progress, {block.id: block for block in written}, known)


async def write_shapes(session: AsyncSession, job: Job, draft: Draft) -> None:
    """Store which blocks there are, in the order in which that changed. Raises BlocksMoved."""
    for shape in draft.shapes:
        match shape:
            case BlockMade(block, position):
                if block.label in {each.label for each in await blocks.of_agent(session, job.agent_id)}:
                    raise BlocksMoved
                # A row of its own: acting again on newer blocks must find this one as it was.
                fresh = Block(**block.model_dump())
                await blocks.create(session, job.agent_id, fresh, author=draft.author, position=position)
            case BlockRemoved(block_id):
                await blocks.detach(session, job.agent_id, block_id)
            case BlockRenamed(block_id, label, description):
                await rename(session, block_id, label, description)


async def rename(session: AsyncSession, block_id: UUID, label: str, description: str) -> None:
    """Give a block its label in all windows, and its description."""
    block = (await blocks.lock(session, [block_id])).get(block_id)
    if block is None:
        raise BlocksMoved
    if block.label != label:
        if await block_lists.is_label_taken(session, block_id, label):
            raise BlocksMoved
        await block_lists.relabel(session, block, label)
    block.description, block.updated_at = description, now()
    await session.flush()


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


async def write_files(session: AsyncSession, job: Job, draft: Draft) -> dict[str, int]:
    """Open and close files in the agent's window; what the history tells of then, unless others' changes came between."""
    if not draft.files:
        return {}
    revision = await agent_files.bump(session, job.agent_id)
    for each in draft.files:
        opened = [opening.file_id for opening in each.openings]
        if each.close_others:
            await agent_files.close(session, job.agent_id, revision, keep=opened)
        await agent_files.open(session, job.tenant_id, job.agent_id, each.openings, revision, each.most_open)
    key = str(job.agent_id)
    return {key: revision} if draft.known.get(key, 0) == revision - 1 else {}


async def write_passages(session: AsyncSession, job: Job, draft: Draft) -> None:
    """Store the passages with the vectors that are there already. BlocksMoved where one of them stands by now."""
    if await once.insert_once(session, draft.passages):
        raise BlocksMoved
    await once.merge(session, draft.retold)
    for model, vectors in draft.vectors.items():
        await embeddings.lay(session, job.tenant_id, model, "passage", vectors)
