"""Tools on the wire: those of files, those from source, those of MCP servers."""

from __future__ import annotations

import hashlib
from typing import cast
from uuid import UUID

from pagemind.api.ids import built_in_id, wire_id
from pagemind.api.letta.names import user_id
from pagemind.engine.kernel import Kernel
from pagemind.records import Json, StoredTool, ToolKind
from pagemind.toolbox.registry import ToolSpec

RETURN_LIMIT_CHARS = 50_000
"""What Letta's tools have where none is asked for."""
TOOL_TYPES = (
    "custom", "letta_core", "letta_memory_core", "letta_multi_agent_core", "letta_sleeptime_core", "letta_voice_sleeptime_core",
    "letta_builtin", "letta_files_core", "external_langchain", "external_composio", "external_mcp",
)  # fmt: skip
CORE = "letta_core"
BUILT_IN_TYPES = {
    "core_memory_append": "letta_memory_core",
    "core_memory_replace": "letta_memory_core",
    "memory": "letta_memory_core",
    "memory_apply_patch": "letta_memory_core",
    "memory_insert": "letta_sleeptime_core",
    "memory_replace": "letta_sleeptime_core",
    "memory_rethink": "letta_sleeptime_core",
    "memory_finish_edits": "letta_sleeptime_core",
    "send_message_to_agent_and_wait_for_reply": "letta_multi_agent_core",
    "send_message_to_agent_async": "letta_multi_agent_core",
    "send_message_to_agents_matching_tags": "letta_multi_agent_core",
    "web_search": "letta_builtin",
    "fetch_webpage": "letta_builtin",
    "run_code": "letta_builtin",
    "run_code_with_tools": "letta_builtin",
    "open_files": "letta_files_core",
    "grep_files": "letta_files_core",
    "semantic_search_files": "letta_files_core",
}
"""Letta's sort of each tool that comes with the server; the others are ``letta_core``."""


def built_in_type(kernel: Kernel, spec: ToolSpec) -> str:
    """What Letta calls this sort of tool; one of the home folder is the operator's own."""
    if spec.path.parent == (kernel.settings.home / "tools").resolve():
        return "custom"
    return BUILT_IN_TYPES.get(spec.name, CORE)


def stored_type(tool: StoredTool) -> str:
    """The same of a stored tool."""
    return "external_mcp" if tool.kind == ToolKind.mcp else "custom"


def built_in_json(kernel: Kernel, spec: ToolSpec) -> Json:
    """A tool that a file of the server defines."""
    kind = built_in_type(kernel, spec)
    schema = {"name": spec.name, "description": spec.schema.description, "parameters": spec.schema.parameters}
    return {
        **tool_json(built_in_id("tool", spec.name), spec.name, kind, spec.schema.description, schema),
        "tags": [kind],
        "source_type": "python",
        **owned(kernel),
        **noted({}),
    }


def stored_json(kernel: Kernel, tool: StoredTool) -> Json:
    """A tool that is stored."""
    extra = tool.extra
    given: Json = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    digest = hashlib.sha256(tool.source.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return {
        **tool_json(tool.id, tool.name, stored_type(tool), tool.description, extra.get("json_schema") or given),
        "tags": tool.tags,
        "source_type": extra.get("source_type", "python"),
        "source_code": tool.source or None if tool.kind == ToolKind.mcp else tool.source,
        "args_json_schema": extra.get("args_json_schema", {}),
        "return_char_limit": tool.result_limit_chars or RETURN_LIMIT_CHARS,
        "pip_requirements": extra.get("pip_requirements"),
        "npm_requirements": extra.get("npm_requirements"),
        "default_requires_approval": extra.get("default_requires_approval"),
        "enable_parallel_execution": extra.get("enable_parallel_execution", False),
        **owned(kernel),
        **noted({**cast("Json", extra.get("metadata", {})), "tool_hash": digest}),
    }


def tool_json(tool_id: UUID, name: str, kind: str, description: str, schema: Json) -> Json:
    """What every tool has, in the wire's order, with the values of one that is nothing special."""
    return {
        "id": wire_id("tool", tool_id),
        "tool_type": kind,
        "description": description,
        "source_type": None,
        "name": name,
        "tags": [],
        "source_code": None,
        "json_schema": schema,
        "args_json_schema": None,
        "return_char_limit": RETURN_LIMIT_CHARS,
        "pip_requirements": None,
        "npm_requirements": None,
        "default_requires_approval": None,
        "enable_parallel_execution": False,
    }


def owned(kernel: Kernel) -> Json:
    """Who made and changed it: whoever holds a key of the tenant."""
    user = user_id(kernel.database.tenant_id)
    return {"created_by_id": user, "last_updated_by_id": user, "project_id": None}


def noted(metadata: Json) -> Json:
    """The metadata under both of the names that clients know it by."""
    return {"metadata_": metadata, "metadata": metadata}
