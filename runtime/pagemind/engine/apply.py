"""Apply: definitions meet the agents in the store. One transaction for all of them, planned inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.definitions.loader import Source
from pagemind.definitions.planner import LiveAgent, LiveBlock, Plan, plan
from pagemind.records import Agent, Block, Json, Owner, Rewrite, edit_to_json, now
from pagemind.store import agents, blocks
from pagemind.store.database import Database


@dataclass(frozen=True)
class Standing:
    """An agent's rows as they are now: None and nothing where there is no agent."""

    agent: Agent | None
    blocks: Sequence[Block]

    @property
    def live(self) -> LiveAgent | None:
        """The rows as the planner sees them."""
        return live_agent(self.agent, self.blocks) if self.agent else None

    @property
    def applied(self) -> Json | None:
        """The definition last applied."""
        return self.agent.applied if self.agent else None


def live_agent(agent: Agent, its_blocks: Sequence[Block]) -> LiveAgent:
    """An agent and its blocks as the planner and the export see them."""
    return LiveAgent(
        name=agent.name,
        description=agent.description,
        model=agent.model,
        instructions=agent.instructions,
        tools=tuple(agent.tools),
        memory=agent.memory,
        tags=tuple(agent.tags),
        blocks={block.label: live_block(block) for block in its_blocks},
    )


def live_block(block: Block) -> LiveBlock:
    """A block as the planner sees it."""
    return LiveBlock(Owner(block.owner), block.value, block.description, block.limit_chars, block.read_only)


async def read_agent(database: Database, name: str) -> LiveAgent:
    """The agent as it stands; UnknownAgent if there is none."""
    async with database.transaction() as session:
        agent = await agents.get(session, name)
        return live_agent(agent, await blocks.of_agent(session, agent.id))


async def plan_all(database: Database, sources: Sequence[Source], *, prune: bool = False) -> list[Plan]:
    """What an apply of these files would do now."""
    async with database.transaction() as session:
        return [_plan(source, await _standing(session, source), prune=prune) for source in sources]


async def apply(database: Database, sources: Sequence[Source], *, prune: bool = False) -> list[Plan]:
    """Bring the agents to what the files say, all of them or none; gives back what was done.

    Two applies at a time go one after the other, and the second plans on what the first has written.
    """
    plans: list[Plan] = []
    async with database.transaction() as session:
        await agents.lock_names(session)
        for source in sources:
            standing = await _standing(session, source, lock=True)
            made = _plan(source, standing, prune=prune)
            await _write(session, database.tenant_id, standing, made, author=f"config:{source.path.name}")
            plans.append(made)
    return plans


def _plan(source: Source, standing: Standing, *, prune: bool) -> Plan:
    return plan(source.definition, standing.live, standing.applied, prune=prune)


async def _standing(session: AsyncSession, source: Source, *, lock: bool = False) -> Standing:
    agent = await agents.find(session, source.definition.name, lock=lock)
    if agent is None:
        return Standing(None, ())
    its_blocks = await blocks.of_agent(session, agent.id)
    if lock:
        newest = await blocks.lock(session, [block.id for block in its_blocks])
        its_blocks = [newest[block.id] for block in its_blocks]
    return Standing(agent, its_blocks)


async def _write(session: AsyncSession, tenant_id: UUID, standing: Standing, made: Plan, *, author: str) -> None:
    agent = await _write_agent(session, tenant_id, standing, made)
    if not made.is_clean:
        await _write_blocks(session, agent, {block.label: block for block in standing.blocks}, made.result.blocks, author)


async def _write_agent(session: AsyncSession, tenant_id: UUID, standing: Standing, made: Plan) -> Agent:
    """The agent's row, made or brought to the plan's result; untouched where nothing differs."""
    agent, result = standing.agent or Agent(tenant_id=tenant_id, name=made.agent), made.result
    if standing.live and made.applied == standing.applied and replace(standing.live, blocks=result.blocks) == result:
        return agent
    agent.description, agent.instructions = result.description, result.instructions
    agent.model, agent.memory = result.model, result.memory
    agent.tools, agent.tags = list(result.tools), list(result.tags)
    agent.applied = made.applied
    return await (agents.save if standing.agent else agents.add)(session, agent)


async def _write_blocks(
    session: AsyncSession, agent: Agent, standing: Mapping[str, Block], wanted: Mapping[str, LiveBlock], author: str
) -> None:
    for label in standing.keys() - wanted.keys():
        await blocks.detach(session, agent.id, standing[label].id)
    for position, (label, block) in enumerate(wanted.items()):
        if label in standing:
            await _write_block(session, standing[label], block, author)
        else:
            fresh = _describe(Block(tenant_id=agent.tenant_id, label=label, value=block.value), block)
            await blocks.create(session, agent.id, fresh, author=author, position=position)
    await session.flush()
    if list(wanted) != list(standing):
        await blocks.place(session, agent.id, {standing[label].id: n for n, label in enumerate(wanted) if label in standing})


async def _write_block(session: AsyncSession, standing: Block, wanted: LiveBlock, author: str) -> None:
    if live_block(standing) == wanted:
        return
    value = standing.value
    _describe(standing, wanted).updated_at = now()
    await session.flush()
    if wanted.value != value:
        await blocks.write(session, standing, wanted.value, author=author, edit=edit_to_json(Rewrite(wanted.value)))


def _describe(block: Block, wanted: LiveBlock) -> Block:
    block.owner, block.description = wanted.owner.value, wanted.description
    block.limit_chars, block.read_only = wanted.limit, wanted.read_only
    return block
