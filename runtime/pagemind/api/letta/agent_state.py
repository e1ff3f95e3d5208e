"""Agents as they stand on Letta's wire (``AgentState``), with what they are linked to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Header, Query

from pagemind.api.here import Here
from pagemind.api.ids import built_in_id, wire_id
from pagemind.api.letta.agent_kinds import shown_kind
from pagemind.api.letta.agent_tools import shown_tools
from pagemind.api.letta.block_json import block_json
from pagemind.api.letta.folder_json import folder_json
from pagemind.api.letta.identity_json import identities_json
from pagemind.api.letta.message_json import shown, system_message_id
from pagemind.api.letta.model_json import default_handle, embedding_handle, llm_config, shown_settings
from pagemind.api.letta.names import organization_id, user_id
from pagemind.api.letta.passage_json import embedding_config
from pagemind.api.letta.stops import wire_stop
from pagemind.api.problems import not_found
from pagemind.api.times import optional_stamp, stamp
from pagemind.errors import UnknownAgent
from pagemind.memory.waiting import pending
from pagemind.records import Agent, AgentIdentity, Block, Json
from pagemind.store import agent_runs, agents, blocks, folders, identities
from pagemind.store.agent_runs import LastRun, MainTalk
from pagemind.store.database import AsyncSession

Part = Literal[
    "agent.blocks",
    "agent.identities",
    "agent.managed_group",
    "agent.pending_approval",
    "agent.secrets",
    "agent.sources",
    "agent.tags",
    "agent.tools",
]
Parts = frozenset[str]
EVERYTHING: Parts = frozenset(
    {"blocks", "identities", "managed_group", "pending_approval", "secrets", "sources", "tags", "tools"}
)
OLD_PARTS = {"memory": "blocks", "tool_exec_environment_variables": "secrets", "multi_agent_group": "managed_group"}
"""Names of before version 1.0 of the SDK."""
COMPACTION: Json = {
    "model": None,
    "model_settings": None,
    "prompt": None,
    "prompt_acknowledgement": False,
    "clip_chars": 50_000,
    "mode": "sliding_window",
    "sliding_window_percentage": 0.6,
}
FILES_OPEN = 10
FILE_VIEW_CHARS = 25_000


def parts_asked(
    include: Annotated[list[Part] | None, Query(max_length=20)] = None,
    include_relationships: Annotated[list[Annotated[str, Query(max_length=100)]] | None, Query(max_length=20)] = None,
    x_stainless_package_version: Annotated[str | None, Header(max_length=100)] = None,
) -> Parts:
    """The relationships to give back: those named; none named, none to an SDK from 1.0 on, and all to anybody else."""
    if include is not None:
        return frozenset(part.removeprefix("agent.") for part in include)
    if include_relationships is not None:
        return frozenset(OLD_PARTS.get(part, part) for part in include_relationships)
    return frozenset() if is_new_sdk(x_stainless_package_version) else EVERYTHING


def is_new_sdk(version: str | None) -> bool:
    """Whether the request comes from an SDK of version 1.0 or later, by its header."""
    major = (version or "").partition(".")[0]
    return major.isascii() and major.isdigit() and major != "0"


@dataclass(frozen=True)
class Around:
    """What stands around some agents, by their ids, as far as it was asked for."""

    blocks: Mapping[UUID, Sequence[Block]]
    tools: Mapping[str, Json]
    identities: Mapping[UUID, Sequence[Json]]
    sources: Mapping[UUID, Sequence[Json]]
    talks: Mapping[UUID, MainTalk]
    waiting: Mapping[UUID, Json]
    last: Mapping[UUID, LastRun]


async def known_agent(session: AsyncSession, agent_id: UUID, *, lock: bool = False) -> Agent:
    """The agent, locked until the transaction ends if ``lock``; 404."""
    try:
        return await (agents.lock if lock else agents.get)(session, agent_id)
    except UnknownAgent:
        raise not_found("agent", wire_id("agent", agent_id)) from None


async def agent_states(here: Here, session: AsyncSession, found: Sequence[Agent], parts: Parts = EVERYTHING) -> list[Json]:
    """The agents with the parts asked for, read in as many round trips as there are parts."""
    around = await surroundings(here, session, found, parts)
    return [agent_json(here, agent, around, parts) for agent in found]


async def agent_state(here: Here, session: AsyncSession, agent: Agent, parts: Parts = EVERYTHING) -> Json:
    """One agent."""
    return (await agent_states(here, session, [agent], parts))[0]


async def surroundings(here: Here, session: AsyncSession, found: Sequence[Agent], parts: Parts) -> Around:
    """What stands around the agents."""
    ids = [agent.id for agent in found]
    names = {name for agent in found for name in agent.tools} if "tools" in parts else set[str]()
    met = await identities.attached(session, AgentIdentity, ids) if "identities" in parts else {}
    shown = await identities_json(session, here.tenant_id, [each for some in met.values() for each in some])
    return Around(
        blocks=await blocks.of_agents(session, ids) if "blocks" in parts else {},
        tools=await shown_tools(session, here.runtime.kernel, names),
        identities={agent_id: [shown[each.id] for each in some] for agent_id, some in met.items()},
        sources=await sources_of(here, session, ids) if "sources" in parts else {},
        talks=await agent_runs.main_talks(session, ids),
        waiting=await waiting_calls(session, ids) if "pending_approval" in parts else {},
        last=await agent_runs.last_runs(session, ids),
    )


async def waiting_calls(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, Json]:
    """What asks for approval in each agent's main conversation, where something does."""
    last = await agent_runs.last_messages(session, ids)
    told = {agent_id: shown([message]) for agent_id, message in last.items() if pending([message])}
    return {
        agent_id: part
        for agent_id, parts in told.items()
        for part in parts
        if part["message_type"] == "approval_request_message"
    }


def message_ids(talk: MainTalk | None) -> list[str]:
    """The messages in the window: the system message, then the history's."""
    if talk is None:
        return []
    return [wire_id("message", each) for each in (system_message_id(talk.conversation_id), *talk.resident)]


async def sources_of(here: Here, session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, list[Json]]:
    """The folders of each agent."""
    config = embedding_config(here.runtime.kernel)
    found = await folders.of_agents(session, ids)
    return {agent_id: [folder_json(folder, config) for folder in some] for agent_id, some in found.items()}


def agent_json(here: Here, agent: Agent, around: Around, parts: Collection[str]) -> Json:
    """The agent; parts that were not asked for are empty."""
    kernel, extra, last = here.runtime.kernel, agent.extra, around.last.get(agent.id)
    kind, handle = shown_kind(agent.kind), extra.get("model") or default_handle(kernel, agent.model)
    its_blocks = [block_json(block) for block in around.blocks.get(agent.id, ())]
    its_tools = [around.tools[name] for name in agent.tools if name in around.tools]
    its_identities = around.identities.get(agent.id, ())
    its_sources = list(around.sources.get(agent.id, ()))
    secrets = secrets_json(agent) if "secrets" in parts else []
    settings = shown_settings(extra.get("model_settings"), agent.model)
    return {
        "created_by_id": user_id(agent.tenant_id),
        "last_updated_by_id": user_id(agent.tenant_id),
        "created_at": stamp(agent.created_at),
        "updated_at": stamp(agent.updated_at),
        "id": wire_id("agent", agent.id),
        "name": agent.name,
        "tool_rules": agent.rules,
        "message_ids": message_ids(around.talks.get(agent.id)),
        "system": agent.instructions,
        "agent_type": kind,
        "llm_config": llm_config(kernel, handle, agent.model, settings),
        "embedding_config": extra.get("embedding_config") or embedding_config(kernel),
        "model": handle,
        "embedding": extra.get("embedding") or embedding_handle(kernel),
        "model_settings": settings,
        "compaction_settings": {
            **COMPACTION,
            "model": handle,
            **(extra.get("compaction_settings") or {}),
        },
        "response_format": extra.get("response_format"),
        "description": agent.description or None,
        "metadata": extra.get("metadata"),
        "memory": memory_json(kind, its_blocks),
        "blocks": its_blocks,
        "tools": its_tools,
        "sources": its_sources,
        "tags": list(agent.tags) if "tags" in parts else [],
        "tool_exec_environment_variables": secrets,
        "secrets": secrets,
        "project_id": extra.get("project_id"),
        "template_id": extra.get("template_id"),
        "base_template_id": extra.get("base_template_id"),
        "deployment_id": extra.get("deployment_id"),
        "entity_id": extra.get("entity_id"),
        "identity_ids": [identity["id"] for identity in its_identities],
        "identities": list(its_identities),
        "pending_approval": around.waiting.get(agent.id),
        "message_buffer_autoclear": extra.get("message_buffer_autoclear") or False,
        "enable_sleeptime": extra.get("enable_sleeptime"),
        "multi_agent_group": None,
        "managed_group": None,
        **last_run_json(extra, last),
        "timezone": extra.get("timezone") or "UTC",
        "max_files_open": extra.get("max_files_open") or FILES_OPEN,
        "per_file_view_window_char_limit": extra.get("per_file_view_window_char_limit") or FILE_VIEW_CHARS,
        "hidden": extra.get("hidden"),
    }


def memory_json(kind: str, its_blocks: Sequence[Json]) -> Json:
    """The old form of an agent's blocks."""
    return {"agent_type": kind, "git_enabled": False, "blocks": list(its_blocks), "file_blocks": [], "prompt_template": ""}


def last_run_json(extra: Json, last: LastRun | None) -> Json:
    """When and how the agent's last run ended; before it had one, what its maker said."""
    if last is None:
        names = ("last_run_completion", "last_run_duration_ms", "last_stop_reason")
        return {name: extra.get(name) for name in names}
    return {
        "last_run_completion": optional_stamp(last.finished_at),
        "last_run_duration_ms": round((last.finished_at - last.began_at).total_seconds() * 1000),
        "last_stop_reason": wire_stop(last.state, last.stop_reason),
    }


def secrets_json(agent: Agent) -> list[Json]:
    """The environment variables of the agent's tools, values too, to whoever may read the agent."""
    return [
        {
            "created_by_id": None,
            "last_updated_by_id": None,
            "created_at": None,
            "updated_at": None,
            "id": wire_id("agent-env", built_in_id(f"secret of {agent.id}", key)),
            "key": key,
            "value": value,
            "description": None,
            "organization_id": organization_id(agent.tenant_id),
            "value_enc": None,
            "agent_id": wire_id("agent", agent.id),
        }
        for key, value in agent.secrets.items()
    ]
