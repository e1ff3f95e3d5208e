"""Memory, as people and programs beside the agent see and edit it while a chat goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pagemind.engine.archival import Draft, Kept, insert
from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import search_policy
from pagemind.engine.recall import Search, recall_messages, recall_passages
from pagemind.errors import NothingToUndo, UnknownBlock
from pagemind.memory.blocks import apply_edit
from pagemind.memory.ranking import Ingredients
from pagemind.records import (
    Agent,
    Block,
    BlockRevision,
    Edit,
    Filters,
    Found,
    MessageHit,
    Passage,
    PassageHit,
    Policy,
    Revert,
    edit_to_json,
)
from pagemind.store import blocks, passages, trust
from pagemind.store.database import AsyncSession


class Memory:
    """An agent's memory from outside: every change has an author, a revision and an undo."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def blocks(self, agent: Agent) -> list[Block]:
        """The agent's blocks, by position."""
        async with self._kernel.database.transaction() as session:
            return await blocks.of_agent(session, agent.id)

    async def edit(self, agent: Agent, label: str, edit: Edit, *, author: str) -> Block:
        """Edit a block's newest version; the agent is told before its next message. Raises UnknownBlock, ToolRefusal."""
        async with self._kernel.database.transaction() as session:
            block = await locked(session, agent, label)
            value = apply_edit(block, edit, by_agent=False)
            return await blocks.write(session, block, value, author=author, edit=edit_to_json(edit))

    async def undo(self, agent: Agent, label: str, *, author: str) -> Block:
        """Give the block the value it had before its newest change, as a change of its own. NothingToUndo at its seed.

        Undoing again goes further back: an undo is stepped over together with what it took back.
        """
        async with self._kernel.database.transaction() as session:
            block = await locked(session, agent, label)
            standing = await standing_revision(session, block)
            if standing <= 1:
                raise NothingToUndo(label=label)
            before = await blocks.revision(session, block.id, standing - 1)
            edit = Revert(text=before.value, revision=before.revision)
            return await blocks.write(session, block, before.value, author=author, edit=edit_to_json(edit))

    async def history(self, agent: Agent, label: str, limit: int = 50) -> list[BlockRevision]:
        """The block's revisions, the newest first."""
        async with self._kernel.database.transaction() as session:
            block = one_of(await blocks.of_agent(session, agent.id), label)
            return await blocks.history(session, block.id, limit)

    async def insert(self, agent: Agent, text: str, *, tags: Sequence[str] = (), source: str = "person") -> Passage:
        """Put a passage into the agent's archive; its vector follows. Where that says the same already, it is given back."""
        return (await self.keep(agent, Draft(text, tags), source)).passage

    async def keep(self, agent: Agent, draft: Draft, source: str) -> Kept:
        """Put a passage into the agent's archive, unless it stands there. Raises EmptyPassage, PassageTooLong."""
        return await insert(self._kernel, agent.id, draft, source)

    async def confirm(
        self, agent: Agent, passage: str, *, review_by: datetime | None = None, confidence: float | None = None
    ) -> Passage:
        """A person vouches for the passage of that id, or that begins so, until ``review_by``. UnknownRecord."""
        async with self._kernel.database.transaction() as session:
            passage_id = await trust.named(session, agent.id, passage)
            return await trust.confirm(session, agent.id, passage_id, review_by=review_by, confidence=confidence)

    async def forget(self, agent: Agent, passage: str) -> Passage:
        """Take the passage of that id, or that begins so, out of every search; its row stays. UnknownRecord."""
        async with self._kernel.database.transaction() as session:
            passage_id = await trust.named(session, agent.id, passage)
            await passages.remove(session, passage_id, agent_id=agent.id)
            return (await passages.by_ids(session, [passage_id]))[passage_id]

    async def search_archive(
        self,
        agent: Agent,
        query: str,
        *,
        filters: Filters | None = None,
        limit: int = 10,
        policy: Policy | None = None,
    ) -> Found[PassageHit]:
        """The agent's passages for the query, the best first; by its own policy unless another is given."""
        search = Search(query, filters or Filters(), policy or search_policy(agent), limit)
        return await recall_passages(self._kernel, agent.id, search)

    async def search_conversation(
        self,
        conversation_id: UUID,
        query: str,
        *,
        filters: Filters | None = None,
        limit: int = 10,
        policy: Policy | None = None,
        ingredients: Ingredients | None = None,
    ) -> Found[MessageHit]:
        """The conversation's messages for the query, the best first."""
        search = Search(query, filters or Filters(), policy or Policy(), limit, ingredients or Ingredients())
        return await recall_messages(self._kernel, conversation_id, search)


async def locked(session: AsyncSession, agent: Agent, label: str) -> Block:
    """The agent's block of that label, locked until the transaction ends."""
    block = one_of(await blocks.of_agent(session, agent.id), label)
    return (await blocks.lock(session, [block.id]))[block.id]


def one_of(found: Sequence[Block], label: str) -> Block:
    """The block of that label; UnknownBlock names those that there are."""
    for block in found:
        if block.label == label:
            return block
    raise UnknownBlock(label=label, known=", ".join(block.label for block in found) or "none")


async def standing_revision(session: AsyncSession, block: Block) -> int:
    """The revision whose value stands now: the newest, or the one that a chain of undos has gone back to."""
    newest = await blocks.revision(session, block.id, block.revision)
    return int(newest.edit["revision"]) if newest.edit.get("kind") == "revert" else newest.revision
