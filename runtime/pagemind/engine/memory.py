"""Memory, as people and programs beside the agent see and edit it while a chat goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pagemind.engine.accept import checked
from pagemind.engine.kernel import Kernel
from pagemind.engine.recall import recall_messages, recall_passages
from pagemind.errors import NothingToUndo, UnknownBlock
from pagemind.memory.blocks import apply_edit
from pagemind.records import Agent, Block, BlockRevision, Edit, MessageHit, Passage, PassageHit, Revert, edit_to_json
from pagemind.store import archives, blocks, passages
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
        """Put a passage into the agent's archive; its vector follows."""
        content = checked(text, self._kernel.settings.message_limit_chars)
        async with self._kernel.database.transaction() as session:
            archive = await archives.archive_of(session, agent)
            passage = Passage(tenant_id=agent.tenant_id, archive_id=archive.id, text=content, tags=list(tags), source=source)
            await passages.insert(session, passage)
        return passage

    async def search_archive(
        self,
        agent: Agent,
        query: str,
        *,
        tags: Sequence[str] = (),
        all_tags: bool = False,
        top_k: int = 10,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> list[PassageHit]:
        """The agent's passages for the query, the best first."""
        return await recall_passages(
            self._kernel, agent.id, query, tags=tags, all_tags=all_tags, top_k=top_k, after=after, before=before
        )

    async def search_conversation(
        self,
        conversation_id: UUID,
        query: str,
        *,
        roles: Sequence[str] = (),
        limit: int = 10,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> list[MessageHit]:
        """The conversation's messages for the query, the best first."""
        return await recall_messages(self._kernel, conversation_id, query, roles=roles, limit=limit, after=after, before=before)


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
