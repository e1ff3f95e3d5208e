"""Blocks, their revisions, and the agents in whose windows they stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import AgentBlock, Block, BlockRevision, Json, now

SEED: Json = {"kind": "seed"}


async def of_agent(session: AsyncSession, agent_id: UUID) -> list[Block]:
    """The agent's blocks in the order in which they stand in its window."""
    query = (
        select(Block)
        .join(AgentBlock, (col(AgentBlock.tenant_id) == Block.tenant_id) & (col(AgentBlock.block_id) == Block.id))
        .where(col(AgentBlock.agent_id) == agent_id)
        .order_by(col(AgentBlock.position), col(AgentBlock.label))
    )
    return list((await session.execute(query)).scalars())


async def of_agents(session: AsyncSession, agent_ids: Collection[UUID]) -> dict[UUID, list[Block]]:
    """The blocks of each of the agents, in the order in which they stand in its window."""
    query = (
        select(col(AgentBlock.agent_id), Block)
        .join(AgentBlock, (col(AgentBlock.tenant_id) == Block.tenant_id) & (col(AgentBlock.block_id) == Block.id))
        .where(col(AgentBlock.agent_id).in_(agent_ids))
        .order_by(col(AgentBlock.position), col(AgentBlock.label))
    )
    found: dict[UUID, list[Block]] = {agent_id: [] for agent_id in agent_ids}
    for agent_id, block in await session.execute(query):
        found[agent_id].append(block)
    return found


async def add(session: AsyncSession, new: Sequence[Block], *, author: str) -> None:
    """Store new blocks, each with its first revision, in no agent's window yet."""
    session.add_all(new)
    session.add_all(
        BlockRevision(
            tenant_id=block.tenant_id,
            block_id=block.id,
            revision=block.revision,
            value=block.value,
            author=author,
            edit=SEED,
            created_at=block.created_at,
        )
        for block in new
    )
    await session.flush()


async def create(session: AsyncSession, agent_id: UUID, block: Block, *, author: str, position: int) -> Block:
    """Store a new block with its first revision, and put it into the agent's window."""
    await add(session, [block], author=author)
    await attach(session, agent_id, block, position=position)
    return block


async def attach(session: AsyncSession, agent_id: UUID, block: Block, *, position: int) -> None:
    """Put a block into the agent's window; the agent must not have one of the same label."""
    session.add(
        AgentBlock(tenant_id=block.tenant_id, agent_id=agent_id, block_id=block.id, label=block.label, position=position)
    )
    await session.flush()


async def attach_all(session: AsyncSession, agent_id: UUID, its_blocks: Sequence[Block]) -> None:
    """Put these blocks, in this order, into the window of an agent that has none; no two may be of one label."""
    session.add_all(
        AgentBlock(tenant_id=block.tenant_id, agent_id=agent_id, block_id=block.id, label=block.label, position=position)
        for position, block in enumerate(its_blocks)
    )
    await session.flush()


async def place(session: AsyncSession, agent_id: UUID, positions: Mapping[UUID, int]) -> None:
    """Put the agent's blocks, by id, at these positions in its window."""
    for block_id, position in positions.items():
        await session.execute(
            update(AgentBlock)
            .where(col(AgentBlock.agent_id) == agent_id, col(AgentBlock.block_id) == block_id)
            .values(position=position)
            .execution_options(synchronize_session=False)
        )


async def detach(session: AsyncSession, agent_id: UUID, block_id: UUID) -> None:
    """Take a block out of the agent's window; the block and its history stay."""
    await session.execute(
        delete(AgentBlock)
        .where(col(AgentBlock.agent_id) == agent_id, col(AgentBlock.block_id) == block_id)
        .execution_options(synchronize_session=False)
    )


async def lock(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, Block]:
    """The newest versions, which nobody else can change until the transaction ends.

    They are locked in the order of their ids, so that two transactions never wait for each other.
    """
    query = (
        select(Block)
        .where(col(Block.id).in_(ids))
        .order_by(col(Block.id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {block.id: block for block in (await session.execute(query)).scalars()}


async def write(
    session: AsyncSession,
    block: Block,
    value: str,
    *,
    author: str,
    edit: Json,
    run_id: UUID | None = None,
    step_id: UUID | None = None,
) -> Block:
    """Give a locked block a new value: revision + 1, with its row in the history. ``UnknownRecord`` if it moved on since."""
    moment = now()
    written = await session.execute(
        update(Block)
        .where(col(Block.id) == block.id, col(Block.revision) == block.revision)
        .values(value=value, revision=block.revision + 1, updated_at=moment)
        .returning(Block)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    fresh = written.scalar_one_or_none()
    if fresh is None:
        raise UnknownRecord(kind=f"revision {block.revision} as the newest of block", id=str(block.id))
    revised = BlockRevision(
        tenant_id=fresh.tenant_id,
        block_id=fresh.id,
        revision=fresh.revision,
        value=value,
        author=author,
        edit=edit,
        run_id=run_id,
        step_id=step_id,
        created_at=moment,
    )
    await session.execute(insert(BlockRevision), [revised.model_dump()])
    return fresh


async def history(session: AsyncSession, block_id: UUID, limit: int = 50) -> list[BlockRevision]:
    """The block's revisions, newest first."""
    query = (
        select(BlockRevision)
        .where(col(BlockRevision.block_id) == block_id)
        .order_by(col(BlockRevision.revision).desc())
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def revision(session: AsyncSession, block_id: UUID, number: int) -> BlockRevision:
    """One revision of the block; ``UnknownRecord`` if there is none of that number."""
    query = select(BlockRevision).where(col(BlockRevision.block_id) == block_id, col(BlockRevision.revision) == number)
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind="revision", id=str(number))
    return found


async def changes_since(
    session: AsyncSession, agent_id: UUID, known: Mapping[UUID, int]
) -> list[tuple[Block, list[BlockRevision]]]:
    """The agent's blocks that are newer than the ``known`` revisions, each with the revisions since, oldest first.

    A block that is not among ``known`` counts as known up to revision 0.
    """
    newer = [block for block in await of_agent(session, agent_id) if block.revision > known.get(block.id, 0)]
    if not newer:
        return []
    query = (
        select(BlockRevision)
        .where(col(BlockRevision.block_id).in_([block.id for block in newer]))
        .order_by(col(BlockRevision.revision))
    )
    oldest = min(known.get(block.id, 0) for block in newer)
    rows = (await session.execute(query.where(col(BlockRevision.revision) > oldest))).scalars().all()
    return [
        (block, [row for row in rows if row.block_id == block.id and row.revision > known.get(block.id, 0)]) for block in newer
    ]
