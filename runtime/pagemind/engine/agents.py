"""Agents made, changed and removed from outside: each operation is one transaction of the caller's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.engine import files, first_messages
from pagemind.errors import LabelTaken, UnknownRecord
from pagemind.records import Agent, AgentIdentity, Block, Conversation, Message
from pagemind.store import agent_runs, agents, archives, block_lists, blocks, conversations, folders, identities, snapshots


@dataclass(frozen=True)
class Belongings:
    """What a new agent begins with: blocks of its own, and what is there already, by id."""

    blocks: Sequence[Block] = ()
    block_ids: Sequence[UUID] = ()
    identity_ids: Sequence[UUID] = ()
    archive_ids: Sequence[UUID] = ()
    folder_ids: Sequence[UUID] = ()
    conversation: Conversation | None = None
    """The main one, where it is to have an id known beforehand."""
    messages: Sequence[Message] = ()
    """The first ones of that conversation (``engine.first_messages``)."""


async def make(session: AsyncSession, agent: Agent, belongings: Belongings, *, author: str) -> Conversation:
    """Store a new agent with what it begins with; gives back its main conversation.

    The blocks that are there already stand behind the new ones. Raises UnknownRecord, LabelTaken.
    """
    shared = await known_blocks(session, belongings.block_ids)
    check_labels([*belongings.blocks, *shared])
    await agents.add(session, agent)
    await blocks.add(session, belongings.blocks, author=author)
    await blocks.attach_all(session, agent.id, [*belongings.blocks, *shared])
    if belongings.identity_ids:
        await put_identities(session, agent, belongings.identity_ids)
    for archive_id in belongings.archive_ids:
        await archives.get(session, archive_id)
        await archives.attach(session, agent, archive_id)
    for folder_id in belongings.folder_ids:
        await files.attach(session, agent, folder_id)
    main = belongings.conversation or main_conversation(agent)
    await conversations.add(session, main)
    await first_messages.seed(session, main, belongings.messages)
    return main


def main_conversation(agent: Agent) -> Conversation:
    """A new agent's main conversation, not stored yet."""
    return Conversation(tenant_id=agent.tenant_id, agent_id=agent.id, main=True)


async def put_blocks(session: AsyncSession, agent: Agent, block_ids: Sequence[UUID]) -> None:
    """Let exactly these blocks stand in the agent's window, in this order. Raises UnknownRecord, LabelTaken."""
    wanted = await known_blocks(session, block_ids)
    check_labels(wanted)
    standing = {block.id for block in await blocks.of_agent(session, agent.id)}
    gone = standing.difference(block_ids)
    for block_id in gone:
        await blocks.detach(session, agent.id, block_id)
    if gone:
        await snapshots.forget(session, [agent.id])
    for position, block in enumerate(wanted):
        if block.id not in standing:
            await blocks.attach(session, agent.id, block, position=position)
    await blocks.place(session, agent.id, {block.id: n for n, block in enumerate(wanted) if block.id in standing})


async def attach_block(session: AsyncSession, agent: Agent, block_id: UUID) -> None:
    """Put a block behind the agent's others; nothing where it stands there. Raises UnknownRecord, LabelTaken."""
    [block] = await known_blocks(session, [block_id])
    standing = await blocks.of_agent(session, agent.id)
    if block.id not in {each.id for each in standing}:
        check_labels([*standing, block])
        await blocks.attach(session, agent.id, block, position=await block_lists.next_position(session, agent.id))
        await agents.save(session, agent)


async def detach_block(session: AsyncSession, agent: Agent, block_id: UUID) -> None:
    """Take a block out of the agent's window. UnknownRecord where it does not stand there."""
    if block_id not in {each.id for each in await blocks.of_agent(session, agent.id)}:
        raise UnknownRecord(kind="block of this agent", id=str(block_id))
    await blocks.detach(session, agent.id, block_id)
    await snapshots.forget(session, [agent.id])
    await agents.save(session, agent)


async def put_identities(session: AsyncSession, agent: Agent, identity_ids: Sequence[UUID]) -> None:
    """Let the agent talk to exactly these identities; UnknownRecord."""
    known = {identity.id for identity in await identities.some(session, identity_ids)} if identity_ids else set[UUID]()
    refuse_unknown("identity", identity_ids, known)
    await identities.detach(session, AgentIdentity, owner_id=agent.id)
    await identities.attach(session, AgentIdentity, agent.tenant_id, [(agent.id, each) for each in identity_ids])


async def put_folders(session: AsyncSession, agent: Agent, folder_ids: Sequence[UUID]) -> None:
    """Let a locked agent read exactly these folders. UnknownRecord."""
    standing = {folder.id for folder in await folders.attached(session, agent.id)}
    for folder_id in folder_ids:
        await files.attach(session, agent, folder_id)
    for folder_id in standing.difference(folder_ids):
        await files.detach(session, agent, folder_id)


async def remove(session: AsyncSession, agent_id: UUID) -> list[UUID]:
    """Take the agent out of sight; what it shared with others stays. Gives back its runs, to be cancelled. UnknownAgent."""
    agent = await agents.lock(session, agent_id)
    await agents.remove(session, agent)
    return await agent_runs.unfinished(session, agent.id)


async def known_blocks(session: AsyncSession, block_ids: Sequence[UUID]) -> list[Block]:
    """The blocks, each once, in the order asked for; UnknownRecord."""
    if not block_ids:
        return []
    found = await block_lists.some(session, block_ids)
    refuse_unknown("block", block_ids, found)
    return [found[block_id] for block_id in dict.fromkeys(block_ids)]


def refuse_unknown(kind: str, wanted: Sequence[UUID], known: Collection[UUID]) -> None:
    """UnknownRecord for the first that is not known."""
    for each in wanted:
        if each not in known:
            raise UnknownRecord(kind=kind, id=str(each))


def check_labels(standing: Sequence[Block]) -> None:
    """LabelTaken where two of the blocks have one label."""
    twice = [label for label, count in Counter(block.label for block in standing).items() if count > 1]
    if twice:
        raise LabelTaken(label=twice[0])
