"""A tool called without a model: what it does to the agent's memory is done at once, and has its author."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn, cast
from uuid import UUID

from pagemind.engine.archival import Draft
from pagemind.engine.kernel import Kernel
from pagemind.engine.memory import Memory
from pagemind.errors import BadArgument, RunToolOnly
from pagemind.records import Agent, Archived, Block, CallRequest, Edit, Filters, Found, Json, MessageHit, PassageHit, now
from pagemind.toolbox.calls import CallResult, MalformedCalls, run_call, validate
from pagemind.toolbox.syscalls import Syscalls


async def call_directly(
    kernel: Kernel, agent: Agent, conversation_id: UUID, name: str, arguments: Json, author: str
) -> CallResult:
    """Call a tool that comes with the server for the agent. Bad arguments, refusals and failures are results."""
    ready = validate([CallRequest("direct", name, json.dumps(arguments))], kernel.registry, [name])
    if isinstance(ready, MalformedCalls):
        return CallResult(ready.reason, status="error")
    memory = Memory(kernel)
    system = Direct(memory, agent, conversation_id, author, await memory.blocks(agent))
    return await run_call(
        ready[0],
        cast("Syscalls", system),
        key="",
        timeout_seconds=kernel.settings.tool_seconds,
        limit_chars=kernel.settings.tool_result_limit_chars,
    )


@dataclass
class Direct:
    """What a tool may ask of the runtime, answered from the store. What only a run has is refused."""

    memory: Memory
    agent: Agent
    conversation_id: UUID
    author: str
    blocks: Sequence[Block]
    _values: dict[str, str] = field(default_factory=dict[str, str])

    def __getattr__(self, name: str) -> NoReturn:
        raise RunToolOnly if not name.startswith("_") else AttributeError(name)

    @property
    def agent_name(self) -> str:
        """The agent that the tool is called for."""
        return self.agent.name

    def now(self) -> datetime:
        """The time, in UTC."""
        return now()

    def labels(self) -> tuple[str, ...]:
        """The labels of the agent's blocks."""
        return tuple(block.label for block in self.blocks)

    async def block(self, label: str) -> str:
        """The block's value; BadArgument where there is none."""
        standing = {block.label: block.value for block in self.blocks} | self._values
        if label not in standing:
            raise BadArgument(
                label[:100], name="label", advice=f"use one of {', '.join(standing) or 'none: there are no blocks'}."
            )
        return standing[label]

    async def edit_block(self, label: str, edit: Edit) -> str:
        """Edit the block's newest version and give back its new value."""
        block = await self.memory.edit(self.agent, label, edit, author=self.author)
        self._values[label] = block.value
        return block.value

    async def archive(self, text: str, tags: Sequence[str] = ()) -> Archived:
        """Store a passage in the agent's archive, unless it stands there."""
        kept = await self.memory.keep(self.agent, Draft(text, tags), self.author)
        return Archived(kept.passage.id, kept.passage.text, None if kept.is_new else kept.passage.created_at)

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
        return await self.memory.search_archive(self.agent, query, filters=filters, limit=top_k)

    async def search_conversation(
        self,
        query: str,
        *,
        roles: Sequence[str] = (),
        limit: int = 10,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> Found[MessageHit]:
        """Messages of the agent's main conversation, the best first."""
        filters = Filters(roles=tuple(roles), after=after, before=before)
        return await self.memory.search_conversation(self.conversation_id, query, filters=filters, limit=limit)

    def note_effect(self, words: str) -> None:
        """Nobody is told."""
