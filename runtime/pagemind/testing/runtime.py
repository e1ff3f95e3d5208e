"""A runtime for tests: a real one, on a real Postgres, with a scripted reasoner and an agent ready to talk to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pagemind.definitions.schema import DEFAULT_TOOLS
from pagemind.engine.memory import Memory
from pagemind.engine.runtime import Runtime
from pagemind.model.embedder import Embedder
from pagemind.model.reasoner import Reasoner
from pagemind.records import Agent, Block, Conversation, Json, Owner
from pagemind.settings import Settings
from pagemind.store import agents, blocks
from pagemind.testing.scripted import ScriptedReasoner


@dataclass
class Bench:
    """An open runtime with one agent in one conversation. ``model`` is the scripted reasoner."""

    runtime: Runtime
    model: ScriptedReasoner
    agent: Agent
    conversation: Conversation

    @property
    def memory(self) -> Memory:
        """The agent's memory from outside."""
        return self.runtime.memory

    async def ask(self, text: str) -> str:
        """Send an input and wait for the answer; RunFailed if the run did not end well."""
        return await self.runtime.ask(self.conversation.id, text)

    async def block(self, label: str) -> str:
        """The value of the agent's block."""
        return next(block.value for block in await self.memory.blocks(self.agent) if block.label == label)


@asynccontextmanager
async def bench(
    settings: Settings,
    *,
    model: ScriptedReasoner | None = None,
    reasoner: Reasoner | None = None,
    embedder: Embedder | None = None,
    agent: str = "test",
    seeds: Mapping[str, str] | None = None,
    memory: Json | None = None,
    work: bool = True,
) -> AsyncGenerator[Bench]:
    """Open a runtime on ``settings`` with an agent that has the blocks ``seeds`` (``persona`` and ``human`` by default)."""
    script = model or ScriptedReasoner()
    async with await Runtime.open(settings, reasoner=reasoner or script, embedder=embedder, work=work) as runtime:
        made = await make_agent(runtime, agent, seeds or {"persona": "I am a test.", "human": ""}, memory or {})
        yield Bench(runtime, script, made, await runtime.conversation(made))


async def make_agent(
    runtime: Runtime,
    name: str,
    seeds: Mapping[str, str],
    memory: Json,
    tools: Sequence[str] = DEFAULT_TOOLS,
    *,
    instructions: str = "You are a test.",
    model: Json | None = None,
) -> Agent:
    """The agent of that name, made unless it is there."""
    tenant_id = runtime.settings.tenant_id
    async with runtime.kernel.database.transaction() as session:
        known = {agent.name: agent for agent in await agents.all(session)}
        if name in known:
            return known[name]
        agent = Agent(tenant_id=tenant_id, name=name, instructions=instructions, tools=list(tools))
        agent.memory, agent.model = memory, model or {}
        await agents.add(session, agent)
        for position, (label, value) in enumerate(seeds.items()):
            block = Block(tenant_id=tenant_id, label=label, value=value, owner=Owner.agent)
            await blocks.create(session, agent.id, block, author="config:test", position=position)
        return agent
