"""Blocks as a whole, beside the agents that they stand with: found, listed, counted, labelled anew, taken away."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, cast, delete, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import Agent, AgentBlock, Block, BlockIdentity, Identity, now
from pagemind.store.keyset import Slice, sliced


@dataclass(frozen=True)
class BlockFilter:
    """Which blocks: each condition that is given must hold. A text that is searched for may stand anywhere, in either case."""

    label: str | None = None
    labels: Sequence[str] = ()
    """Any of these."""
    template_name: str | None = None
    templates_only: bool = False
    value_text: str | None = None
    label_text: str | None = None
    description_text: str | None = None
    tags: Sequence[str] = ()
    all_tags: bool = False
    identity_id: UUID | None = None
    identifiers: Sequence[str] = ()
    """Of identities: any."""
    hidden: bool = True
    """Those, too, that their front hides."""
    agents_above: int | None = None
    agents_below: int | None = None
    agents_exactly: Sequence[int] = ()
    """Any of these."""


async def get(session: AsyncSession, block_id: UUID) -> Block:
    """The block; UnknownRecord if there is none, or it was deleted."""
    query = select(Block).where(col(Block.id) == block_id, col(Block.deleted_at).is_(None))
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind="block", id=str(block_id))
    return found


async def lock(session: AsyncSession, block_id: UUID) -> Block:
    """The same, which nobody else can change until the transaction ends."""
    query = (
        select(Block)
        .where(col(Block.id) == block_id, col(Block.deleted_at).is_(None))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind="block", id=str(block_id))
    return found


async def some(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, Block]:
    """Those of these blocks that there are; none of them can be deleted until the transaction ends."""
    query = select(Block).where(col(Block.id).in_(ids), col(Block.deleted_at).is_(None)).order_by(col(Block.id))
    query = query.with_for_update(read=True).execution_options(populate_existing=True)
    return {block.id: block for block in (await session.execute(query)).scalars()}


async def page(session: AsyncSession, wanted: BlockFilter, page: Slice) -> Sequence[Block]:
    """A page of the blocks that are wanted; UnknownRecord for an unknown cursor."""
    return await sliced(session, _filtered(select(Block), wanted), Block, page)


async def count(session: AsyncSession, wanted: BlockFilter | None = None) -> int:
    """How many blocks there are."""
    query = _filtered(select(col(Block.id)), wanted or BlockFilter())
    return int((await session.execute(select(func.count()).select_from(query.subquery()))).scalar_one())


async def agent_ids(session: AsyncSession, block_id: UUID) -> list[UUID]:
    """The agents in whose windows the block stands."""
    query = (
        select(col(AgentBlock.agent_id))
        .join(Agent, (col(Agent.tenant_id) == AgentBlock.tenant_id) & (col(Agent.id) == AgentBlock.agent_id))
        .where(col(AgentBlock.block_id) == block_id, col(Agent.deleted_at).is_(None))
    )
    return list((await session.execute(query)).scalars())


async def next_position(session: AsyncSession, agent_id: UUID) -> int:
    """The place behind the agent's last block."""
    query = select(func.coalesce(func.max(col(AgentBlock.position)) + 1, 0)).where(col(AgentBlock.agent_id) == agent_id)
    return int((await session.execute(query)).scalar_one())


async def is_label_taken(session: AsyncSession, block_id: UUID, label: str) -> bool:
    """Whether an agent that has the block has another one of that label."""
    having = select(col(AgentBlock.agent_id)).where(col(AgentBlock.block_id) == block_id)
    query = select(col(AgentBlock.block_id)).where(
        col(AgentBlock.agent_id).in_(having), col(AgentBlock.label) == label, col(AgentBlock.block_id) != block_id
    )
    return (await session.execute(query.limit(1))).first() is not None


async def relabel(session: AsyncSession, block: Block, label: str) -> None:
    """Give a locked block another label, in every window."""
    block.label = label
    await session.flush()
    await session.execute(
        update(AgentBlock)
        .where(col(AgentBlock.block_id) == block.id)
        .values(label=label)
        .execution_options(synchronize_session=False)
    )


async def remove(session: AsyncSession, block: Block) -> None:
    """Take a locked block out of every window and out of sight; its history stays."""
    block.deleted_at = block.updated_at = now()
    await session.flush()
    for links in (AgentBlock, BlockIdentity):
        mine = delete(links).where(col(links.block_id) == block.id)
        await session.execute(mine.execution_options(synchronize_session=False))


def _filtered(query: Select[Any], wanted: BlockFilter) -> Select[Any]:
    query = query.where(col(Block.deleted_at).is_(None))
    if wanted.label is not None:
        query = query.where(col(Block.label) == wanted.label)
    if wanted.labels:
        query = query.where(col(Block.label).in_(list(wanted.labels)))
    if wanted.template_name is not None:
        query = query.where(col(Block.extra)["template_name"].astext == wanted.template_name)
    if not wanted.hidden:
        query = query.where(col(Block.extra)["hidden"].astext.is_distinct_from("true"))
    if wanted.templates_only:
        query = query.where(col(Block.extra)["is_template"].astext == "true")
    texts = ((Block.value, wanted.value_text), (Block.label, wanted.label_text), (Block.description, wanted.description_text))
    for column, text in texts:
        if text:
            query = query.where(col(column).icontains(text, autoescape=True))
    if wanted.tags:
        query = query.where(col(Block.tags).op("@>" if wanted.all_tags else "&&")(cast(list(wanted.tags), ARRAY(TEXT))))
    if wanted.identity_id is not None or wanted.identifiers:
        query = query.where(col(Block.id).in_(_of_identities(wanted)))
    return _by_agents(query, wanted)


def _of_identities(wanted: BlockFilter) -> Select[Any]:
    query = select(col(BlockIdentity.block_id))
    if wanted.identity_id is not None:
        query = query.where(col(BlockIdentity.identity_id) == wanted.identity_id)
    if wanted.identifiers:
        named = select(col(Identity.id)).where(col(Identity.identifier).in_(list(wanted.identifiers)))
        query = query.where(col(BlockIdentity.identity_id).in_(named))
    return query


def _by_agents(query: Select[Any], wanted: BlockFilter) -> Select[Any]:
    if wanted.agents_above is None and wanted.agents_below is None and not wanted.agents_exactly:
        return query
    standing = (
        select(func.count())
        .select_from(AgentBlock)
        .join(Agent, (col(Agent.tenant_id) == AgentBlock.tenant_id) & (col(Agent.id) == AgentBlock.agent_id))
        .where(col(AgentBlock.block_id) == col(Block.id), col(Agent.deleted_at).is_(None))
        .correlate(Block)
        .scalar_subquery()
    )
    if wanted.agents_above is not None:
        query = query.where(standing > wanted.agents_above)
    if wanted.agents_below is not None:
        query = query.where(standing < wanted.agents_below)
    if wanted.agents_exactly:
        query = query.where(standing.in_(list(wanted.agents_exactly)))
    return query
