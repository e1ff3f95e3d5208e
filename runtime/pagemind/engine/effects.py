"""Effects: what a step's tools do to memory, kept aside until the step is stored. The engine's `Syscalls`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pagemind.engine import files
from pagemind.engine.job import Job
from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import lifetime_of, search_policy
from pagemind.engine.post import tell, tell_all
from pagemind.engine.recall import Search, recall_messages, recall_passages
from pagemind.errors import BadArgument, BlockFull, BlockReadOnly, BlockTaken, TooManyBlocks, UnknownBlock
from pagemind.memory.blocks import apply_edit
from pagemind.memory.duplicates import gist
from pagemind.memory.faulting import faults
from pagemind.memory.telling import told
from pagemind.records import (
    Archived,
    Block,
    Edit,
    FileHit,
    FileMatches,
    FileRequest,
    FilesOpened,
    Filters,
    Found,
    Json,
    MessageHit,
    Origin,
    Owner,
    PageFault,
    Passage,
    PassageHit,
    now,
)
from pagemind.records.view import View
from pagemind.store import archives, block_lists, once, paging
from pagemind.store.agent_files import Opening


@dataclass(frozen=True)
class BlockEdit:
    """One edit and the value it gave the block; ``seen_revision`` is the revision that the step's edits started from."""

    block_id: UUID
    seen_revision: int
    edit: Edit
    value: str


@dataclass(frozen=True)
class BlockMade:
    """A new block, for the end of the agent's window."""

    block: Block
    position: int


@dataclass(frozen=True)
class BlockRemoved:
    """A block that leaves the agent's window."""

    block_id: UUID


@dataclass(frozen=True)
class BlockRenamed:
    """A block with another label or description."""

    block_id: UUID
    label: str
    description: str


BlockShape = BlockMade | BlockRemoved | BlockRenamed
"""What changes of the agent's blocks beside their values."""
MOST_BLOCKS = 64


@dataclass(frozen=True)
class FileChange:
    """Files to open in the agent's window, at most so many of them at once."""

    openings: tuple[Opening, ...]
    close_others: bool
    most_open: int


@dataclass
class Effects:
    """A step's view of memory with its own changes on top. Nothing reaches the store before `persist`."""

    job: Job
    kernel: Kernel
    view: View
    step_id: UUID
    edits: list[BlockEdit] = field(default_factory=list[BlockEdit])
    passages: list[Passage] = field(default_factory=list[Passage])
    vectors: dict[str, dict[UUID, list[float]]] = field(default_factory=dict[str, dict[UUID, list[float]]])
    """Of the passages, by the model that made them: another one may serve by the time they are stored."""
    retold: dict[UUID, Passage] = field(default_factory=dict[UUID, Passage])
    """What was to be stored and stands already, by the id of what stands."""
    recalled: list[Json] = field(default_factory=list[Json])
    missed: list[Json] = field(default_factory=list[Json])
    notes: list[str] = field(default_factory=list[str])
    faults: list[PageFault] = field(default_factory=list[PageFault])
    files: list[FileChange] = field(default_factory=list[FileChange])
    shapes: list[BlockShape] = field(default_factory=list[BlockShape])
    effect: str = ""
    _values: dict[UUID, str] = field(default_factory=dict[UUID, str])

    def __post_init__(self) -> None:
        self._blocks = list(self.view.blocks)

    @property
    def known(self) -> dict[str, int]:
        """The revisions that this step's history tells of beside those of its edits: those of new blocks."""
        return {str(shape.block.id): shape.block.revision for shape in self.shapes if isinstance(shape, BlockMade)}

    @property
    def agent_name(self) -> str:
        """The agent that calls."""
        return self.view.agent.name

    def now(self) -> datetime:
        """The time, in UTC."""
        return now()

    def labels(self) -> tuple[str, ...]:
        """The labels of the agent's blocks."""
        return tuple(block.label for block in self._blocks)

    async def block(self, label: str) -> str:
        """The block's value with this step's edits."""
        return self._current(label).value

    async def edit_block(self, label: str, edit: Edit) -> str:
        """Edit the block and give back its new value; a ToolRefusal says why not."""
        block = self._current(label)
        value = apply_edit(block, edit, by_agent=True)
        self._values[block.id] = value
        self.edits.append(BlockEdit(block.id, block.revision, edit, value))
        return value

    async def create_block(self, label: str, value: str, description: str) -> None:
        """Put a new block at the end of the window. BlockTaken, TooManyBlocks, BlockFull."""
        if label in self.labels():
            raise BlockTaken(label=label)
        if len(self._blocks) >= MOST_BLOCKS:
            raise TooManyBlocks(count=len(self._blocks))
        block = Block(tenant_id=self.job.tenant_id, label=label, value=value, description=description, owner=Owner.agent)
        if len(value) > block.limit_chars:
            raise BlockFull(label=label, length=len(value), limit=block.limit_chars)
        self._blocks.append(block)
        self.shapes.append(BlockMade(block, len(self.view.blocks) + len(self.shapes)))

    async def remove_block(self, label: str) -> None:
        """Take a block out of the window. UnknownBlock, BlockReadOnly."""
        block = self._own(label)
        self._blocks = [each for each in self._blocks if each.id != block.id]
        self.shapes.append(BlockRemoved(block.id))

    async def rename_block(self, label: str, *, to: str | None, description: str | None) -> None:
        """Give a block another label or description. UnknownBlock, BlockReadOnly, BlockTaken."""
        block = self._own(label)
        if to is not None and to != label and to in self.labels():
            raise BlockTaken(label=to)
        async with self.kernel.database.transaction() as session:
            # It may stand in other agents' windows, too.
            if to is not None and await block_lists.is_label_taken(session, block.id, to):
                raise BlockTaken(label=to)
        said = {"label": to or label, "description": block.description if description is None else description}
        self._blocks = [each.model_copy(update=said) if each.id == block.id else each for each in self._blocks]
        self.shapes.append(BlockRenamed(block.id, said["label"], said["description"]))

    def _own(self, label: str) -> Block:
        """The block, if the agent may change it."""
        block = self._current(label)
        if block.read_only or block.owner == Owner.config:
            raise BlockReadOnly(label=label)
        return block

    async def archive(self, text: str, tags: Sequence[str] = ()) -> Archived:
        """Store a passage, with the run's input as its evidence, unless the archive says the same already."""
        life = lifetime_of(self.view.agent, Origin.inferred, now())
        passage = Passage(
            tenant_id=self.job.tenant_id,
            archive_id=await self._archive_id(),
            text=text,
            tags=list(tags),
            source=f"agent:{self.agent_name}",
            evidence=[m.id for m in self.view.messages if m.run_id == self.job.run_id and m.role == "user"],
            run_id=self.job.run_id,
            step_id=self.step_id,
            gist=gist(text),
            identity_id=self._identity(),
            expires_at=life.expires_at,
            review_by=life.review_by,
        )
        twin = self._own_twin(passage) or await once.twin_of(self.kernel.database, passage)
        if twin is not None:
            self.retold[twin.id] = once.joined(self.retold.get(twin.id), passage)
            return Archived(twin.id, twin.text, twin.created_at)
        self.passages.append(passage)
        kernel = self.kernel.still()
        vector = await kernel.vector(text, "document")  # without one the indexer makes it later
        if vector is not None:
            self.vectors.setdefault(kernel.embedder.name, {})[passage.id] = vector
        return Archived(passage.id, text)

    def _own_twin(self, passage: Passage) -> Passage | None:
        """What this step stores already and says the same."""
        return next((each for each in self.passages if each.gist == passage.gist and each.gist is not None), None)

    def _identity(self) -> UUID | None:
        """With whom the run talks, where its input says so."""
        sender = next((m.sender for m in self.view.messages if m.run_id == self.job.run_id and m.sender), None)
        return _identity_in(sender)

    async def search_archive(
        self,
        query: str,
        *,
        tags: Sequence[str] = (),
        all_tags: bool = False,
        top_k: int = 10,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> Found[PassageHit]:
        """Passages by words and by meaning, the best first."""
        filters = Filters(tags=tuple(tags), all_tags=all_tags, after=after, before=before)
        found = await recall_passages(self.kernel, self.job.agent_id, self._search(query, filters, top_k))
        self._tell(found)
        return found

    async def search_conversation(
        self,
        query: str,
        *,
        roles: Sequence[str] = (),
        limit: int = 10,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> Found[MessageHit]:
        """Messages of this conversation by words and by meaning, the best first; this run's own input is left out."""
        search = self._search(query, Filters(roles=tuple(roles), after=after, before=before), limit)
        found = await recall_messages(self.kernel, self.job.conversation_id, search, before_seq=self._run_began())
        self._tell(found)
        self.faults += await self._page_faults(faults(found))
        return found

    async def open_files(self, requests: Sequence[FileRequest], *, close_others: bool = False) -> FilesOpened:
        """Put files into the window from the next epoch on; what they show is told at once. A ToolRefusal says why not."""
        agent = self.view.agent
        most = files.most_open(agent)
        if len(requests) > most:
            raise BadArgument(f"{len(requests)} files", name="file_requests", advice=f"open at most {most} at once.")
        found = await files.views_of(self.kernel, agent, requests)
        change = FileChange(tuple(opening for opening, _ in found), close_others, most)
        self.files.append(change)
        closed = await files.closed_by(self.kernel, agent.id, change.openings, close_others=close_others, most_open=most)
        return FilesOpened(tuple(view for _, view in found), closed)

    async def grep_files(
        self, pattern: str, *, include: str | None = None, context_lines: int = 1, offset: int = 0
    ) -> FileMatches:
        """Lines of the agent's files that match, a page of them. A ToolRefusal says what is wrong with a pattern."""
        return await files.grep(
            self.kernel, self.job.agent_id, pattern, include=include, context_lines=context_lines, offset=offset
        )

    async def search_files(self, query: str, *, limit: int = 5) -> list[FileHit]:
        """Pieces of the agent's files by words and by meaning, the best first."""
        return await files.search(self.kernel, self.job.agent_id, query, limit)

    async def tell_agent(self, agent_id: str, message: str, *, key: str, wait: bool) -> str:
        """Send a message to another agent, once for the key; its answer, or nothing without waiting. BadArgument."""
        try:
            other = UUID(agent_id.strip().removeprefix("agent-"))
        except ValueError:
            raise BadArgument(agent_id[:60], name="other_agent_id", advice="give the id of an agent.") from None
        return await tell(self.kernel, self.view, other, message, key=key, wait=wait)

    async def tell_agents(self, all_tags: Sequence[str], some_tags: Sequence[str], message: str, *, key: str) -> str:
        """Send a message to the other agents with those tags; their answers, a line each."""
        return await tell_all(self.kernel, self.view, all_tags, some_tags, message, key=key)

    def note_effect(self, words: str) -> None:
        """A few words for people on what the current call did."""
        self.effect = words

    def _current(self, label: str) -> Block:
        """The block as a copy with this step's edits; UnknownBlock names those that there are."""
        for block in self._blocks:
            if block.label == label:
                return block.model_copy(update={"value": self._values.get(block.id, block.value)})
        raise UnknownBlock(label=label, known=", ".join(self.labels()) or "none: this agent has no blocks")

    def _tell(self, found: Found[PassageHit] | Found[MessageHit]) -> None:
        """Keep what a search brought, what came near, and what it made of the query, for the event of its call."""
        self.recalled += map(told, found.hits)
        self.missed += map(told, found.near_misses)
        self.notes += [*found.notes, f"{found.seconds * 1000:.1f} ms"]

    def _search(self, query: str, filters: Filters, limit: int) -> Search:
        """The search, by the agent's own policy."""
        return Search(query, filters, search_policy(self.view.agent), limit)

    def _run_began(self) -> int | None:
        """The ``seq`` of this run's own input: a search with its words must not find itself."""
        return next((message.seq for message in self.view.messages if message.run_id == self.job.run_id), None)

    async def _page_faults(self, hits: Sequence[MessageHit]) -> list[PageFault]:
        """The hits as page faults of this step."""
        if not hits:
            return []
        conversation = self.view.conversation
        async with self.kernel.database.transaction() as session:
            gone_at = await paging.paged_out_at(session, conversation.id, [hit.seq for hit in hits])
        return [
            PageFault(
                tenant_id=self.job.tenant_id,
                conversation_id=conversation.id,
                run_id=self.job.run_id,
                step_id=self.step_id,
                seq=hit.seq,
                turns_out=conversation.turns - gone_at.get(hit.seq, 0),
                tokens=hit.tokens,
                tool="conversation_search",
            )
            for hit in hits
        ]

    async def _archive_id(self) -> UUID:
        """The archive that the agent writes to; its first is made when it is first needed."""
        if self.view.archive_id is not None:
            return self.view.archive_id
        async with self.kernel.database.transaction() as session:
            return (await archives.archive_of(session, self.view.agent)).id


def _identity_in(sender: str | None) -> UUID | None:
    """The identity that sent a message, where it is one that we know by its id."""
    try:
        return UUID((sender or "").removeprefix("identity-"))
    except ValueError:
        return None
