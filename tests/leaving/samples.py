"""Agent files and answers in the shape in which Letta 0.16 writes them; what they say is made up."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]

PROMPT = """You keep the lighthouse.

<memory_blocks>
</memory_blocks>

<memory_metadata>
- AGENT_ID: agent-0
</memory_metadata>"""
SOURCE = '''def lamp(level: int) -> str:
    """Set the lamp.

    Args:
        level (int): How bright.
    """
    return "set"
'''
LAMP: Json = {
    "name": "lamp",
    "description": "Set the lamp.",
    "parameters": {
        "type": "object",
        "properties": {"level": {"type": "integer", "description": "How bright."}},
        "required": ["level"],
    },
}


def packed(message: object, status: str = "OK") -> str:
    """A tool's return as Letta stores it."""
    return json.dumps({"status": status, "message": message, "time": "2026-04-02 08:00:00 AM UTC+0000"}, indent=2)


def alert(text: str) -> str:
    """What Letta's runtime says in the place of a user."""
    return json.dumps({"type": "system_alert", "message": text, "time": "2026-04-02 08:00:00 AM UTC+0000"})


def message(number: int, role: str, text: str | None = None, **more: Any) -> Json:
    """A message of an agent file, a minute after the one before."""
    content = [] if text is None else [{"type": "text", "text": text, "signature": None}]
    return {
        "type": "message",
        "otid": "848f9e25-c7c7-4eed-936f-7df9cb5fed88",
        "group_id": None,
        "role": role,
        "content": content,
        "name": None,
        "sender_id": None,
        "batch_item_id": None,
        "id": f"message-{number}",
        "model": None,
        "agent_id": "agent-0",
        "tool_calls": None,
        "tool_call_id": None,
        "tool_returns": [],
        "created_at": f"2026-04-02T08:{number:02}:00+00:00",
        "approve": None,
        "approval_request_id": None,
        "denial_reason": None,
        "approvals": [],
        **more,
    }


def tool_call(call_id: str, name: str, **arguments: object) -> Json:
    """A call of an assistant's."""
    return {"id": call_id, "function": {"arguments": json.dumps(arguments), "name": name}, "type": "function"}


def tool_return(call_id: str, text: str, status: str = "success") -> Json:
    """A return of a tool."""
    return {"tool_call_id": call_id, "status": status, "stdout": None, "stderr": None, "func_response": text}


def talk() -> list[Json]:
    """A conversation with everything that a conversation of Letta's has."""
    thought = {"type": "reasoning", "is_native": True, "reasoning": "Worth keeping.", "signature": None}
    return [
        message(0, "system", PROMPT),
        message(1, "user", "I am Mara."),
        message(
            2,
            "assistant",
            content=[thought],
            tool_calls=[
                tool_call("c1", "memory_insert", label="human", new_string="Mara"),
                tool_call("c2", "conversation_search", query="Mara"),
            ],
        ),
        message(
            3,
            "tool",
            name="memory_insert",
            tool_call_id="c1",
            tool_returns=[
                tool_return("c1", packed("Name: Mara")),
                tool_return("c2", packed("'nothing'", "Failed"), "error"),
            ],
        ),
        message(4, "assistant", "Welcome, Mara."),
        message(5, "user", "Light the lamp."),
        message(6, "approval", tool_calls=[tool_call("c3", "lamp", level=3)], tool_call_id="c3"),
        message(7, "approval", approvals=[{"type": "approval", "tool_call_id": "c3", "approve": True, "reason": "it is dark"}]),
        message(8, "tool", name="lamp", tool_call_id="c3", tool_returns=[tool_return("c3", packed("set"))]),
        message(9, "assistant", "It burns."),
    ]


def agent_file(**changed: Any) -> Json:
    """A file with one agent, two blocks, four tools."""
    agent: Json = {
        "name": "Keeper",
        "memory_blocks": [],
        "tools": [],
        "tool_ids": ["tool-0", "tool-1", "tool-2", "tool-3"],
        "source_ids": [],
        "folder_ids": None,
        "block_ids": ["block-1", "block-0"],
        "tool_rules": [
            {"tool_name": "lamp", "type": "requires_approval", "prompt_template": None},
            {"tool_name": "memory_insert", "type": "max_count_per_step", "prompt_template": None, "max_count_limit": 2},
        ],
        "tags": ["sea", "night"],
        "system": "You keep the lighthouse.",
        "agent_type": "letta_v1_agent",
        "include_base_tools": False,
        "description": "Keeps a lighthouse.",
        "metadata": {"tower": 7},
        "llm_config": {
            "model": "gpt-4o-mini",
            "model_endpoint_type": "openai",
            "handle": "openai/gpt-4o-mini",
            "context_window": 32_000,
            "temperature": 0.2,
            "max_tokens": 900,
        },
        "embedding_config": {"handle": "openai/text-embedding-3-small", "embedding_dim": 1536},
        "secrets": {"HARBOUR_KEY": ""},
        "timezone": "Europe/Lisbon",
        "id": "agent-0",
        "in_context_message_ids": [f"message-{number}" for number in range(10)],
        "messages": talk(),
        "files_agents": [],
        "group_ids": [],
    }
    return {
        "agents": [agent | changed],
        "groups": [],
        "blocks": [
            block("block-0", "human", "Name: Mara", limit=3000, description="Who speaks."),
            block("block-1", "persona", "I keep the lamp.", read_only=True, metadata={"from": "1921"}),
        ],
        "files": [],
        "sources": [],
        "tools": [
            tool("tool-0", "conversation_search", "letta_core"),
            tool("tool-1", "memory_insert", "letta_sleeptime_core"),
            tool("tool-2", "lamp", "custom", source_code=SOURCE, json_schema=LAMP, default_requires_approval=True),
            tool("tool-3", "tide", "external_mcp"),
        ],
        "mcp_servers": [],
        "skills": [],
        "metadata": {"revision_id": "0123456789ab"},
        "created_at": "2026-04-02T09:00:00+00:00",
        "something_newer": [1, 2],
    }


def block(block_id: str, label: str, value: str, **more: Any) -> Json:
    """A block of a file, or of a server's answer."""
    plain: Json = {"limit": 100_000, "description": None, "read_only": False, "metadata": {}, "tags": None, "hidden": None}
    return {"id": block_id, "label": label, "value": value, **plain, **more}


def tool(tool_id: str, name: str, kind: str, **more: Any) -> Json:
    """A tool of a file, or of a server's answer."""
    plain: Json = {"source_code": None, "source_type": "python", "json_schema": {"name": name}, "tags": [kind]}
    return {"id": tool_id, "name": name, "tool_type": kind, "description": name, **plain, **more}


def as_bytes(file: Json) -> bytes:
    """The file as it lies on a disk."""
    return json.dumps(file).encode()
