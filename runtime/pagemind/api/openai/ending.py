"""How a run ended, on OpenAI's wire."""

from __future__ import annotations

from dataclasses import dataclass

from pagemind.api.here import Here
from pagemind.api.openai.route import Json, error_body
from pagemind.api.openai.telling import Ended
from pagemind.api.problems import Problem, status_of_code
from pagemind.records import Run
from pagemind.store import messages


@dataclass(frozen=True)
class Waiting:
    """A call that waits for the caller; ``arguments`` is its JSON text."""

    id: str
    name: str
    arguments: str


async def waiting_calls(here: Here, run: Run, ended: Ended) -> list[Waiting]:
    """The calls that the run left to the caller."""
    if ended.stop_reason != "requires_approval":
        return []
    async with here.transaction() as session:
        pending = await messages.pending(session, run.conversation_id)
    asked = pending.calls or () if pending else ()
    return [Waiting(call["id"], call["name"], call["arguments"]) for call in asked if call.get("waits")]


@dataclass(frozen=True)
class Failure:
    """How a run failed: the status that a request of its own would have got, and the body that says so."""

    status: int
    message: str
    body: Json


def failure_of(ended: Ended) -> Failure:
    """The failure that the run recorded."""
    error = ended.error or {}
    code = error.get("code", ended.stop_reason)
    status = status_of_code(code)
    message = " ".join(filter(None, (error.get("cause", f"The run ended: {ended.stop_reason}."), error.get("fix"))))
    return Failure(status, message, error_body(status, message, code=code))


def failed(ended: Ended) -> Problem:
    """The answer for a run that failed. It was accepted and is over: repeating the request would say everything twice."""
    failure = failure_of(ended)
    return Problem(failure.status, failure.message, headers={"x-should-retry": "false"}, body=failure.body)


def usage_of(ended: Ended) -> Json:
    """The tokens of all model calls of the run."""
    return {
        "prompt_tokens": ended.prompt_tokens,
        "completion_tokens": ended.completion_tokens,
        "total_tokens": ended.prompt_tokens + ended.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": ended.cached_tokens},
    }
