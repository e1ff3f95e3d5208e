"""Tools run without a model, and what the wire tells of it."""

from __future__ import annotations

from pagemind.api.here import Here
from pagemind.api.letta.tool_bodies import ToolRunFromSource
from pagemind.api.problems import Problem
from pagemind.api.times import message_date
from pagemind.errors import McpError, McpMissing, McpStdioOff, McpTimeout, ToolSourceOff
from pagemind.records import Json, StoredTool, now
from pagemind.toolbox.calls import CallResult
from pagemind.toolbox.source_runner import SourceOutcome

NO_ID = "null"
"""What stands for the ids of a call that belongs to no conversation."""


async def run_source(here: Here, asked: ToolRunFromSource) -> SourceOutcome:
    """Run the source in a process of its own; 403 where the operator does not allow it."""
    try:
        return await here.runtime.outside.source.run(
            asked.source_code, asked.name or "", asked.args, secrets=asked.env_vars, seconds=here.settings.tool_seconds
        )
    except ToolSourceOff as error:
        raise Problem(403, str(error)) from error


def return_message(name: str | None, outcome: SourceOutcome) -> Json:
    """The outcome as the return of a call."""
    told: Json = {
        "tool_return": outcome.text if outcome.ok else f"Error executing function {name}: {outcome.error}",
        "status": "success" if outcome.ok else "error",
        "tool_call_id": NO_ID,
        "stdout": lines(outcome.stdout),
        "stderr": lines(outcome.stderr),
    }
    return {
        "id": NO_ID,
        "date": message_date(now()),
        "name": name,
        "message_type": "tool_return_message",
        "otid": None,
        "sender_id": None,
        "step_id": None,
        "is_err": None,
        "seq_id": None,
        "run_id": None,
        **told,
        "tool_returns": [{"type": "tool", **told}],
    }


def execution_result(outcome: SourceOutcome) -> Json:
    """The outcome as the result of an agent's tool."""
    return {
        "status": "success" if outcome.ok else "error",
        "func_return": outcome.value if outcome.ok else outcome.error,
        "agent_state": None,
        "stdout": lines(outcome.stdout),
        "stderr": lines(outcome.stderr),
        "sandbox_config_fingerprint": None,
    }


def lines(text: str) -> list[str]:
    """What was printed, as the wire has it: one text, or none."""
    return [text] if text else []


async def run_stored(here: Here, tool: StoredTool, arguments: Json, *, secrets: Json) -> SourceOutcome:
    """Run a stored tool with the secrets of an agent. 403 where the operator does not allow it, 408 or 502 for a server."""
    try:
        return await here.runtime.outside.run(
            tool,
            arguments,
            secrets={name: str(value) for name, value in secrets.items()},
            timeout_seconds=here.settings.tool_seconds,
        )
    except ToolSourceOff as error:
        raise Problem(403, str(error)) from error
    except McpError as error:
        raise mcp_problem(error) from error


def direct_result(result: CallResult) -> Json:
    """The result of a tool that comes with the server."""
    return execution_result(SourceOutcome(result.status == "ok", value=result.text, error=result.text))


def mcp_problem(error: McpError) -> Problem:
    """What a server's failure is on the wire."""
    match error:
        case McpStdioOff():
            return Problem(403, str(error))
        case McpMissing():
            return Problem(501, str(error))
        case McpTimeout():
            status, kind = 408, "mcp_timeout"
        case _:
            status, kind = 502, "mcp_connection_error"
    body = {"error": {"type": kind, "message": error.cause, "detail": str(error)}}
    return Problem(status, str(error), headers={"x-should-retry": "false"}, body=body)
