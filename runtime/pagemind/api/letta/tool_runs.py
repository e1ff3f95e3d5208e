"""Tools run without a model, and what the wire tells of it."""

from __future__ import annotations

from pagemind.api.here import Here
from pagemind.api.letta.tool_bodies import ToolRunFromSource
from pagemind.api.problems import Problem
from pagemind.api.times import message_date
from pagemind.errors import ToolSourceOff
from pagemind.records import Json, now
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
