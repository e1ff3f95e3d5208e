"""The tools of agents: which names and ids there are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from pagemind.api.ids import built_in_id, wire_id
from pagemind.api.letta.tool_json import built_in_json, stored_json
from pagemind.api.problems import bad_request
from pagemind.engine.kernel import Kernel
from pagemind.records import Json
from pagemind.store import agent_tools
from pagemind.store.database import AsyncSession


async def known_names(session: AsyncSession, kernel: Kernel, names: Sequence[str]) -> list[str]:
    """The names, each once, all of tools that there are; 400 for one of none."""
    wanted = list(dict.fromkeys(names))
    stored = await agent_tools.named(session, [name for name in wanted if name not in kernel.registry])
    lacking = [name for name in wanted if name not in kernel.registry and name not in stored]
    if lacking:
        raise bad_request(f"Tools not found by name: {', '.join(lacking)}. GET /v1/tools/ lists those that there are.")
    return wanted


async def names_of(session: AsyncSession, kernel: Kernel, ids: Sequence[UUID]) -> list[str]:
    """The names of the tools with these ids, each once; 400 for an id of none."""
    if not ids:
        return []
    built_in = {built_in_id("tool", name): name for name in kernel.registry}
    stored = await agent_tools.numbered(session, [each for each in ids if each not in built_in])
    known = built_in | {tool_id: tool.name for tool_id, tool in stored.items()}
    lacking = [wire_id("tool", each) for each in ids if each not in known]
    if lacking:
        raise bad_request(f"Tools not found by id: {', '.join(lacking)}. GET /v1/tools/ lists those that there are.")
    return list(dict.fromkeys(known[each] for each in ids))


async def shown_tools(session: AsyncSession, kernel: Kernel, names: Collection[str]) -> dict[str, Json]:
    """The tools of these names as the wire has them; a tool that is gone is left out."""
    stored = await agent_tools.named(session, [name for name in names if name not in kernel.registry])
    built_in = {name: built_in_json(kernel, kernel.registry[name]) for name in names if name in kernel.registry}
    return built_in | {name: stored_json(kernel, tool) for name, tool in stored.items()}
