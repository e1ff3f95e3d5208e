"""Letta's types of agents: one loop runs them all; they differ in the tools and rules that they begin with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pagemind.records import Json

AgentKind = Literal[
    "memgpt_agent",
    "memgpt_v2_agent",
    "letta_v1_agent",
    "react_agent",
    "workflow_agent",
    "split_thread_agent",
    "sleeptime_agent",
    "voice_convo_agent",
    "voice_sleeptime_agent",
]
DEFAULT_KIND: AgentKind = "letta_v1_agent"

SEND = "send_message"
FINISH = "memory_finish_edits"
_MEMORY = ("memory_insert", "memory_replace")
BASE_TOOLS: dict[str, tuple[str, ...]] = {
    "letta_v1_agent": ("conversation_search", *_MEMORY),
    "split_thread_agent": ("conversation_search", *_MEMORY),
    "memgpt_agent": ("conversation_search", "core_memory_append", "core_memory_replace", SEND),
    "memgpt_v2_agent": ("conversation_search", *_MEMORY, SEND),
    "voice_convo_agent": ("conversation_search", SEND),
    "sleeptime_agent": (*_MEMORY, "memory_rethink", FINISH),
    "voice_sleeptime_agent": (*_MEMORY, "memory_rethink", FINISH),
    "react_agent": (),
    "workflow_agent": (),
}
MULTI_AGENT_TOOLS = (
    "send_message_to_agent_and_wait_for_reply",
    "send_message_to_agent_async",
    "send_message_to_agents_matching_tags",
)
ENDING = frozenset({SEND, FINISH})
"""Base tools whose call ends the run."""


def shown_kind(kind: str) -> str:
    """The type as it is given back: an agent from a file is one of the newest."""
    return kind if kind in BASE_TOOLS else DEFAULT_KIND


def base_rules(tools: Sequence[str]) -> list[Json]:
    """The rules that base tools come with: the call of some ends the run, that of the others does not."""
    if not ENDING.intersection(tools):
        return []
    return [
        {"tool_name": name, "type": "exit_loop" if name in ENDING else "continue_loop", "prompt_template": None}
        for name in tools
    ]
