"""Runs and steps on Letta's wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pagemind.api.ids import wire_id
from pagemind.api.letta.failures import stop_word
from pagemind.api.letta.names import organization_id
from pagemind.api.times import optional_stamp, stamp
from pagemind.records import Json, Run, RunState, Step

STATES = {RunState.queued: "created"}
"""Where our word is not Letta's."""
NANOSECONDS = 1_000_000
"""In a millisecond."""
CONFIG: Json = {
    "use_assistant_message": True,
    "assistant_message_tool_name": "send_message",
    "assistant_message_tool_kwarg": "message",
    "include_return_message_types": None,
}


def run_json(run: Run, first_token_ms: float | None = None) -> dict[str, Any]:
    """The run; ``first_token_ms`` is how long its first step waited for the first token."""
    extra = run.extra
    return {
        "id": wire_id("run", run.id),
        "status": wire_state(run.state),
        "created_at": stamp(run.created_at),
        "completed_at": optional_stamp(run.finished_at),
        "agent_id": wire_id("agent", run.agent_id),
        "conversation_id": wire_id("conv", run.conversation_id),
        "base_template_id": None,
        "background": is_background(run),
        "metadata": {"run_type": extra.get("run_type", "send_message")},
        "request_config": extra.get("request_config", CONFIG),
        "stop_reason": stop_word(run.state, run.stop_reason, run.error),
        "callback_url": extra.get("callback_url"),
        "callback_sent_at": None,
        "callback_status_code": None,
        "callback_error": None,
        "ttft_ns": None if first_token_ms is None else round(first_token_ms * NANOSECONDS),
        "total_duration_ns": nanoseconds(run.created_at, run.finished_at),
    }


def is_background(run: Run) -> bool:
    """Whether the run was asked for as one that goes on by itself."""
    return run.background or bool(run.extra.get("manner", {}).get("numbered"))


def wire_state(state: str) -> str:
    """The state in Letta's words."""
    return STATES.get(RunState(state), state)


def our_states(words: list[str]) -> list[str]:
    """The states that the words stand for; 'created' is one that no worker has taken up."""
    return [state.value for state in RunState if wire_state(state) in words]


def nanoseconds(begin: datetime | None, end: datetime | None) -> int | None:
    """How long it took; None where it is not over."""
    return None if begin is None or end is None else round((end - begin).total_seconds() * 1e9)


def usage_json(prompt: int, completion: int, cached: int) -> Json:
    """Token totals."""
    return {
        "completion_tokens": completion,
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_read_tokens": cached, "cache_creation_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def run_metrics_json(run: Run, tools_used: list[UUID]) -> Json:
    """How long a run took, and what it used."""
    return {
        "id": wire_id("run", run.id),
        "organization_id": organization_id(run.tenant_id),
        "agent_id": wire_id("agent", run.agent_id),
        "project_id": None,
        "run_start_ns": round(run.created_at.timestamp() * 1e9),
        "run_ns": nanoseconds(run.created_at, run.finished_at),
        "num_steps": run.steps,
        "tools_used": [wire_id("tool", tool_id) for tool_id in tools_used] or None,
        "template_id": None,
        "base_template_id": None,
    }


def step_json(step: Step, run: Run, *, window_tokens: int, endpoint: str, tags: list[str] | None = None) -> Json:
    """The step, with what its run says of it."""
    last = run.stop_reason is not None and step.index == run.steps - 1
    return {
        "id": wire_id("step", step.id),
        "origin": None,
        "organization_id": organization_id(step.tenant_id),
        "provider_id": None,
        "run_id": wire_id("run", step.run_id),
        "agent_id": wire_id("agent", run.agent_id),
        "provider_name": "openai",
        "provider_category": "base",
        "model": step.model or None,
        "model_handle": f"openai/{step.model}" if step.model else None,
        "model_endpoint": endpoint or None,
        "context_window_limit": window_tokens,
        "completion_tokens": step.completion_tokens,
        "prompt_tokens": step.prompt_tokens,
        "total_tokens": step.prompt_tokens + step.completion_tokens,
        "cached_input_tokens": step.cached_tokens,
        "cache_write_tokens": None,
        "reasoning_tokens": None,
        "completion_tokens_details": {"reasoning_tokens": 0},
        "prompt_tokens_details": {
            "cached_tokens": step.cached_tokens,
            "cache_read_tokens": step.cached_tokens,
            "cache_creation_tokens": 0,
        },
        "stop_reason": stop_word(run.state, run.stop_reason, run.error) if last else None,
        "tags": tags or [],
        "tid": None,
        "trace_id": None,
        "request_id": None,
        "messages": [],
        "feedback": step.feedback,
        "project_id": None,
        "error_type": None,
        "error_data": None,
        "status": "success" if step.state == "done" else "pending",
    }


def step_metrics_json(step: Step, run: Run) -> Json:
    """How long the parts of a step took."""
    laps = step.timings
    whole = sum(laps.get(name, 0.0) for name in ("read", "compile", "reason", "act", "persist"))
    return {
        "id": wire_id("step", step.id),
        "organization_id": organization_id(step.tenant_id),
        "provider_id": None,
        "run_id": wire_id("run", step.run_id),
        "agent_id": wire_id("agent", run.agent_id),
        "step_start_ns": None,
        "llm_request_start_ns": None,
        "llm_request_ns": lap(laps, "reason"),
        "tool_execution_ns": lap(laps, "act"),
        "step_ns": round(whole * NANOSECONDS),
        "base_template_id": None,
        "template_id": None,
        "project_id": None,
    }


def lap(laps: Json, name: str) -> int | None:
    """One of a step's stages in nanoseconds; None where it had none."""
    return None if laps.get(name) is None else round(laps[name] * NANOSECONDS)
