"""``/v1/blocks``: blocks as such; several agents may have one, and an edit of it is seen by all."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from pagemind.api.here import Caller
from pagemind.api.ids import BlockId, IdentityId, wire_id
from pagemind.api.letta.agent_state import Parts, agent_states, parts_asked
from pagemind.api.letta.block_bodies import BlockCreate, BlockUpdate
from pagemind.api.letta.block_json import block_json
from pagemind.api.letta.identity_json import known_identity
from pagemind.api.pages import paged
from pagemind.api.problems import not_found
from pagemind.engine import blocks as changing
from pagemind.errors import UnknownRecord
from pagemind.records import Block, BlockIdentity
from pagemind.store import agent_lists, block_lists, blocks, identities
from pagemind.store.agent_lists import AgentFilter
from pagemind.store.block_lists import BlockFilter
from pagemind.store.database import AsyncSession
from pagemind.store.keyset import Slice

router = APIRouter(tags=["blocks"])

Word = Annotated[str, Query(max_length=500)]
Some = Annotated[list[Word] | None, Query(max_length=100)]
Count = Annotated[int, Query(ge=-(2**31), lt=2**31)]
Counts = Annotated[list[Count] | None, Query(max_length=100)]


async def known_block(session: AsyncSession, block_id: BlockId, *, lock: bool = False) -> Block:
    """The block, locked until the transaction ends if ``lock``; 404."""
    try:
        return await (block_lists.lock if lock else block_lists.get)(session, block_id)
    except UnknownRecord:
        raise not_found("block", wire_id("block", block_id)) from None


@router.post("/v1/blocks")
async def create_block(here: Caller, asked: BlockCreate) -> dict[str, Any]:
    """Make a block that stands in no agent's window yet."""
    block = asked.block(here.tenant_id)
    async with here.transaction() as session:
        await blocks.add(session, [block], author=here.author)
    return block_json(block)


def block_filter(
    label: Word | None = None,
    labels: Some = None,
    name: Word | None = None,
    templates_only: bool = False,
    value_search: Word | None = None,
    label_search: Word | None = None,
    description_search: Word | None = None,
    tags: Some = None,
    match_all_tags: bool = False,
    identity_id: IdentityId | None = None,
    identifier_keys: Some = None,
    connected_to_agents_count_gt: Count | None = None,
    connected_to_agents_count_lt: Count | None = None,
    connected_to_agents_count_eq: Counts = None,
    show_hidden_blocks: bool | None = False,
) -> BlockFilter:
    """Which blocks to list: those that are hidden only where they are asked for."""
    return BlockFilter(
        label=label,
        labels=labels or (),
        template_name=name,
        templates_only=templates_only,
        value_text=value_search,
        label_text=label_search,
        description_text=description_search,
        tags=tags or (),
        all_tags=match_all_tags,
        identity_id=identity_id,
        identifiers=identifier_keys or (),
        hidden=bool(show_hidden_blocks),
        agents_above=connected_to_agents_count_gt,
        agents_below=connected_to_agents_count_lt,
        agents_exactly=connected_to_agents_count_eq or (),
    )


Wanted = Annotated[BlockFilter, Depends(block_filter)]


@router.get("/v1/blocks")
async def list_blocks(
    here: Caller, wanted: Wanted, page: Annotated[Slice, Depends(paged("block", limit=50, order="asc"))]
) -> list[dict[str, Any]]:
    """A page of the blocks, the oldest first."""
    async with here.transaction() as session:
        return [block_json(block) for block in await block_lists.page(session, wanted, page)]


@router.get("/v1/blocks/count")
async def count_blocks(here: Caller) -> int:
    """How many blocks there are."""
    async with here.transaction() as session:
        return await block_lists.count(session)


@router.get("/v1/blocks/{block_id}")
async def retrieve_block(here: Caller, block_id: BlockId) -> dict[str, Any]:
    """One block."""
    async with here.transaction() as session:
        return block_json(await known_block(session, block_id))


@router.patch("/v1/blocks/{block_id}")
async def update_block(here: Caller, block_id: BlockId, asked: BlockUpdate) -> dict[str, Any]:
    """Change a block; every agent that has it is told of its new value."""
    async with here.transaction() as session:
        block = await known_block(session, block_id, lock=True)
        return block_json(await changing.change(session, block, asked.changes(), author=here.author))


@router.delete("/v1/blocks/{block_id}")
async def delete_block(here: Caller, block_id: BlockId) -> None:
    """Delete a block: it leaves every agent's window."""
    async with here.transaction() as session:
        await known_block(session, block_id)
        await changing.remove(session, block_id)


@router.get("/v1/blocks/{block_id}/agents")
async def agents_of_block(
    here: Caller,
    block_id: BlockId,
    page: Annotated[Slice, Depends(paged("agent", limit=50))],
    parts: Annotated[Parts, Depends(parts_asked)],
) -> list[dict[str, Any]]:
    """A page of the agents that have the block, the newest first."""
    async with here.transaction() as session:
        await known_block(session, block_id)
        found = await agent_lists.page(session, AgentFilter(block_id=block_id), page)
        return await agent_states(here, session, found, parts)


@router.patch("/v1/blocks/{block_id}/identities/attach/{identity_id}")
async def attach_identity(here: Caller, block_id: BlockId, identity_id: IdentityId) -> dict[str, Any]:
    """Say that a block is about an identity."""
    async with here.transaction() as session:
        block = await known_block(session, block_id)
        await known_identity(session, identity_id)
        await identities.attach(session, BlockIdentity, here.tenant_id, [(block_id, identity_id)])
        return block_json(block)


@router.patch("/v1/blocks/{block_id}/identities/detach/{identity_id}")
async def detach_identity(here: Caller, block_id: BlockId, identity_id: IdentityId) -> dict[str, Any]:
    """Say that a block is no longer about an identity."""
    async with here.transaction() as session:
        block = await known_block(session, block_id)
        await known_identity(session, identity_id)
        await identities.detach(session, BlockIdentity, owner_id=block_id, identity_id=identity_id)
        return block_json(block)
