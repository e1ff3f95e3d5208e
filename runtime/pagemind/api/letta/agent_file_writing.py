"""Agent files written: an agent in the form that Letta 0.16 imports, with the passages that Letta leaves out.

An export is ``engine.agent_files.taken_out``, then ``file_of``. Values of secrets are never in it, only their names.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from pagemind.api.letta.agent_file_talk import messages_json
from pagemind.api.letta.agent_kinds import shown_kind
from pagemind.api.letta.model_json import embedding_handle, llm_config, shown_settings
from pagemind.api.letta.passage_json import embedding_config
from pagemind.api.times import stamp
from pagemind.engine.agent_files import Bundle, Member, Shelf
from pagemind.engine.kernel import Kernel
from pagemind.records import Agent, Block, Json, StoredTool, ToolKind, now

CORE = "letta_core"
TYPES = {
    "archival_memory_insert": CORE,
    "archival_memory_search": CORE,
    "conversation_search": CORE,
    "send_message": CORE,
    "core_memory_append": "letta_memory_core",
    "core_memory_replace": "letta_memory_core",
    "memory": "letta_memory_core",
    "memory_apply_patch": "letta_memory_core",
    "memory_finish_edits": "letta_sleeptime_core",
    "memory_insert": "letta_sleeptime_core",
    "memory_replace": "letta_sleeptime_core",
    "memory_rethink": "letta_sleeptime_core",
    "grep_files": "letta_files_core",
    "open_files": "letta_files_core",
    "semantic_search_files": "letta_files_core",
    "fetch_webpage": "letta_builtin",
    "run_code": "letta_builtin",
    "web_search": "letta_builtin",
    "send_message_to_agent_and_wait_for_reply": "letta_multi_agent_core",
    "send_message_to_agent_async": "letta_multi_agent_core",
    "send_message_to_agents_matching_tags": "letta_multi_agent_core",
}
"""What Letta calls the types of its own tools, which it knows by their names."""
REVISION = "pagemind"
RESULT_CHARS = 50_000
LETTA_LIMIT_CHARS = 100_000


def file_of(kernel: Kernel, bundle: Bundle, *, scrub_messages: bool = False) -> Json:
    """The file. A tool that Letta does not have, and one of an MCP server, is not in it."""
    agent_ids = {member.agent.id: f"agent-{place}" for place, member in enumerate(bundle.members)}
    tools = tools_json(kernel, bundle)
    blocks = {block.id: f"block-{place}" for place, block in enumerate(bundle.blocks)}
    of_agent = {archive_id: agent_ids[member.agent.id] for member in bundle.members for archive_id in member.archive_ids}
    return {
        "agents": [
            agent_json(
                kernel,
                member,
                agent_ids[member.agent.id],
                [tool["id"] for tool in tools if tool["name"] in member.agent.tools],
                [blocks[each] for each in member.block_ids if each in blocks],
                messages=[] if scrub_messages else talk_json(bundle, member, agent_ids[member.agent.id]),
            )
            for member in bundle.members
        ],
        "groups": [],
        "blocks": [block_schema(block, blocks[block.id]) for block in bundle.blocks],
        "files": [],
        "sources": [],
        "tools": tools,
        "mcp_servers": [],
        "skills": [],
        "metadata": {"revision_id": REVISION},
        "created_at": wire_time(now()),
        "passages": [
            each for shelf in bundle.shelves for each in passages_json(shelf, of_agent.get(shelf.archive.id, "agent-0"))
        ],
    }


def wire_time(moment: datetime) -> str:
    """A time as agent files have it."""
    return moment.isoformat()


def agent_json(
    kernel: Kernel, member: Member, agent_id: str, tool_ids: Sequence[str], block_ids: Sequence[str], messages: list[Json]
) -> Json:
    """An agent."""
    agent, extra = member.agent, member.agent.extra
    settings = shown_settings(extra.get("model_settings"), agent.model)
    secrets = dict.fromkeys(agent.secrets, "")
    return {
        "name": agent.name,
        "memory_blocks": [],
        "tools": [],
        "tool_ids": list(tool_ids),
        "source_ids": [],
        "folder_ids": None,
        "block_ids": list(block_ids),
        "tool_rules": agent.rules,
        "tags": list(agent.tags),
        "system": agent.instructions,
        "agent_type": shown_kind(agent.kind),
        "initial_message_sequence": None,
        "include_base_tools": False,
        "include_multi_agent_tools": False,
        "include_base_tool_rules": False,
        "include_default_source": False,
        "description": agent.description or None,
        "metadata": extra.get("metadata"),
        "llm_config": llm_config(kernel, extra.get("model"), agent.model, settings),
        "embedding_config": {**embedding_config(kernel), "handle": extra.get("embedding") or embedding_handle(kernel)},
        "model": None,
        "embedding": None,
        "model_settings": None,
        "compaction_settings": None,
        "context_window_limit": None,
        "embedding_chunk_size": None,
        "max_tokens": None,
        "max_reasoning_tokens": None,
        "enable_reasoner": False,
        "reasoning": None,
        "from_template": None,
        "template": False,
        "project": None,
        "tool_exec_environment_variables": secrets,
        "secrets": secrets,
        "memory_variables": None,
        "project_id": None,
        "template_id": None,
        "base_template_id": None,
        "identity_ids": None,
        "message_buffer_autoclear": extra.get("message_buffer_autoclear") or False,
        "enable_sleeptime": False,
        "response_format": extra.get("response_format"),
        "timezone": extra.get("timezone") or "UTC",
        "max_files_open": extra.get("max_files_open") or 10,
        "per_file_view_window_char_limit": extra.get("per_file_view_window_char_limit") or 25_000,
        "hidden": extra.get("hidden"),
        "parallel_tool_calls": None,
        "id": agent_id,
        "in_context_message_ids": [message["id"] for message in messages if message.pop("in_context")],
        "messages": messages,
        "files_agents": [],
        "group_ids": [],
    }


def talk_json(bundle: Bundle, member: Member, agent_id: str) -> list[Json]:
    """The messages of the agent's first talk."""
    own = {block.id: block for block in bundle.blocks}
    standing = [own[each] for each in member.block_ids if each in own]
    return [message for talk in member.talks[:1] for message in messages_json(member.agent, standing, talk, agent_id)]


def block_schema(block: Block, block_id: str) -> Json:
    """A block."""
    extra = block.extra
    return {
        "value": block.value,
        "limit": block.limit_chars,
        "project_id": None,
        "template_name": extra.get("template_name"),
        "is_template": extra.get("is_template", False),
        "template_id": None,
        "base_template_id": None,
        "deployment_id": None,
        "entity_id": None,
        "preserve_on_migration": extra.get("preserve_on_migration", False),
        "label": block.label,
        "read_only": block.read_only,
        "description": block.description or None,
        "metadata": extra.get("metadata") or {},
        "hidden": extra.get("hidden"),
        "tags": list(block.tags) or None,
        "id": block_id,
    }


def tools_json(kernel: Kernel, bundle: Bundle) -> list[Json]:
    """The agents' tools: Letta's own by their names, and those that come with their source."""
    stored = {tool.name: tool for tool in bundle.tools if tool.kind == ToolKind.source}
    names = dict.fromkeys(name for member in bundle.members for name in tools_of(member.agent, kernel.registry, stored))
    return [tool_json(kernel, name, stored.get(name), f"tool-{place}") for place, name in enumerate(names)]


def tools_of(agent: Agent, registry: Collection[str], stored: Collection[str]) -> list[str]:
    """The names of the agent's tools that Letta can have too."""
    return [name for name in agent.tools if name in stored or (name in registry and name in TYPES)]


def tool_json(kernel: Kernel, name: str, stored: StoredTool | None, tool_id: str) -> Json:
    """A tool."""
    schema = kernel.registry[name].schema if stored is None else stored
    kind = TYPES[name] if stored is None else "custom"
    extra: Json = {} if stored is None else stored.extra
    return {
        "id": tool_id,
        "tool_type": kind,
        "description": schema.description,
        "source_type": "python" if stored is None else extra.get("source_type") or "python",
        "name": name,
        "tags": [kind] if stored is None else list(stored.tags),
        "source_code": None if stored is None else stored.source,
        "json_schema": {"name": name, "description": schema.description, "parameters": schema.parameters},
        "args_json_schema": None,
        "return_char_limit": (stored and stored.result_limit_chars) or RESULT_CHARS,
        "pip_requirements": extra.get("pip_requirements"),
        "npm_requirements": None,
        "default_requires_approval": None if stored is None else stored.needs_approval or None,
        "enable_parallel_execution": False,
        "created_by_id": None,
        "last_updated_by_id": None,
        "metadata_": {},
        "project_id": None,
    }


def passages_json(shelf: Shelf, agent_id: str) -> list[Json]:
    """The passages of an archive, which Letta's files do not have and its import passes over."""
    return [
        {
            "agent_id": agent_id,
            "text": passage.text,
            "tags": list(passage.tags) or None,
            "source": passage.source or None,
            "metadata": passage.extra,
            "created_at": stamp(passage.created_at),
        }
        for passage in shelf.passages
    ]
