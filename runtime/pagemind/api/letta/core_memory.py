"""``/v1/agents/{id}/core-memory``: the blocks in an agent's window."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from pagemind.api.here import Caller
from pagemind.api.ids import AgentId, BlockId, wire_id
from pagemind.api.letta.agent_kinds import shown_kind
from pagemind.api.letta.agent_state import agent_state, known_agent, memory_json
from pagemind.api.letta.block_bodies import BlockUpdate
from pagemind.api.letta.block_json import block_json
from pagemind.api.letta.blocks import known_block
from pagemind.api.pages import paged
from pagemind.api.problems import Problem, not_found
from pagemind.engine import agents as making
from pagemind.engine import blocks as changing
from pagemind.errors import UnknownRecord
from pagemind.records import Block
from pagemind.store import blocks
from pagemind.store.database import AsyncSession
from pagemind.store.keyset import Slice

router = APIRouter(tags=["agents"])

CORE = "/v1/agents/{agent_id}/core-memory"
Label = Annotated[str, Path(max_length=500)]


@router.get(CORE)
async def core_memory(here: Caller, agent_id: AgentId) -> dict[str, Any]:
    """All of the agent's blocks, in the older form."""
    async with here.transaction() as session:
        agent = await known_agent(session, agent_id)
        its_blocks = await blocks.of_agent(session, agent.id)
    return memory_json(shown_kind(agent.kind), [block_json(block) for block in its_blocks])


@router.get(f"{CORE}/blocks")
async def list_blocks(
    here: Caller, agent_id: AgentId, page: Annotated[Slice, Depends(paged("block", limit=100))]
) -> list[dict[str, Any]]:
    """The agent's blocks, in the order in which they stand in its window; ``order=asc`` turns it round."""
    async with here.transaction() as session:
        agent = await known_agent(session, agent_id)
        its_blocks = await blocks.of_agent(session, agent.id)
    return [block_json(block) for block in page_of(its_blocks if page.descending else its_blocks[::-1], page)]


def page_of(its_blocks: list[Block], page: Slice) -> list[Block]:
    """The page of a list that is whole in memory; 404 for an unknown cursor."""
    ids = [block.id for block in its_blocks]
    after = place(ids, page.after) + 1 if page.after else 0
    before = place(ids, page.before) if page.before else len(ids)
    if page.before and not page.after:
        after = max(0, before - page.limit)
    return its_blocks[after:before][: page.limit]


def place(ids: list[UUID], cursor: UUID) -> int:
    """Where the cursor stands."""
    if cursor not in ids:
        raise not_found("block", wire_id("block", cursor))
    return ids.index(cursor)


@router.patch(f"{CORE}/blocks/attach/{{block_id}}")
async def attach_block(here: Caller, agent_id: AgentId, block_id: BlockId) -> dict[str, Any]:
    """Put a block into the agent's window, behind the others."""
    async with here.transaction() as session:
        agent = await known_agent(session, agent_id, lock=True)
        await known_block(session, block_id)
        await making.attach_block(session, agent, block_id)
        return await agent_state(here, session, agent)


@router.patch(f"{CORE}/blocks/detach/{{block_id}}")
async def detach_block(here: Caller, agent_id: AgentId, block_id: BlockId) -> dict[str, Any]:
    """Take a block out of the agent's window; the block stays."""
    async with here.transaction() as session:
        agent = await known_agent(session, agent_id, lock=True)
        try:
            await making.detach_block(session, agent, block_id)
        except UnknownRecord:
            raise not_found("block", wire_id("block", block_id)) from None
        return await agent_state(here, session, agent)


@router.get(f"{CORE}/blocks/{{block_label:path}}")
async def retrieve_block(here: Caller, agent_id: AgentId, block_label: Label) -> dict[str, Any]:
    """The agent's block of that label."""
    async with here.transaction() as session:
        return block_json(await labelled(session, agent_id, block_label))


@router.patch(f"{CORE}/blocks/{{block_label:path}}")
async def update_block(here: Caller, agent_id: AgentId, block_label: Label, asked: BlockUpdate) -> dict[str, Any]:
    """Change the agent's block of that label, for every agent that has it."""
    async with here.transaction() as session:
        found = await labelled(session, agent_id, block_label)
        block = (await blocks.lock(session, [found.id]))[found.id]
        return block_json(await changing.change(session, block, asked.changes(), author=here.author))


async def labelled(session: AsyncSession, agent_id: UUID, label: str) -> Block:
    """The agent's block of that label; 404."""
    agent = await known_agent(session, agent_id)
    for block in await blocks.of_agent(session, agent.id):
        if block.label == label:
            return block
    raise Problem(404, f"Agent {wire_id('agent', agent_id)} has no block {label[:100]!r}.")
