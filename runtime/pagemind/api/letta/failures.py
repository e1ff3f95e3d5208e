"""How a run failed, in Letta's words and with the status that a request of its own would have got."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pagemind.api.letta.message_json import Json
from pagemind.api.letta.stops import wire_stop
from pagemind.api.problems import NO_RETRY, Problem
from pagemind.records import RunState, StopReason

WORDS = {
    "llm_timeout": "The model did not answer in time. Please try again.",
    "llm_rate_limit": "The model server has too much to do. Please wait before the next request.",
    "llm_insufficient_credits": "The model server refuses the request for want of credit.",
    "llm_authentication": "The model server does not accept the key.",
    "llm_bad_request": "The model server does not accept the request.",
    "llm_error": "The model server failed.",
    "internal_error": "The run failed.",
}
BY_STATUS = {
    401: (401, "llm_authentication"),
    403: (401, "llm_authentication"),
    402: (402, "llm_insufficient_credits"),
    408: (504, "llm_timeout"),
    429: (429, "llm_rate_limit"),
}
BY_CODE = {
    "reasoner_timeout": (504, "llm_timeout"),
    "reasoner_unreachable": (503, "llm_error"),
    "context_too_long": (400, "llm_bad_request"),
    "window_full": (400, "llm_bad_request"),
}
ANSWERED = re.compile(r"\b(?:answers|with) (\d{3})\b")


@dataclass(frozen=True)
class Failure:
    """A run's failure: the HTTP status, Letta's word for its kind, and texts for people."""

    status: int
    kind: str
    message: str
    detail: str

    @property
    def problem(self) -> Problem:
        """The answer to a request that waited for the run. It was accepted and is over: nobody should send it again."""
        body = {"error": {"type": self.kind, "message": self.message, "detail": self.detail}}
        return Problem(self.status, self.detail, headers=dict(NO_RETRY), body=body)

    def event(self, run_id: str) -> Json:
        """What a stream says of it."""
        return {
            "message_type": "error_message",
            "run_id": run_id,
            "error_type": self.kind,
            "message": self.message,
            "detail": self.detail,
            "seq_id": None,
        }


def failure_of(state: str, reason: str, error: dict[str, str] | None) -> Failure | None:
    """The failure of a run; None of one that ended otherwise. Calls that cannot be used are an end with a name of its own."""
    if state != RunState.failed or reason == StopReason.invalid_calls:
        return None
    error = error or {}
    code = error.get("code", "")
    status, kind = BY_CODE.get(code, (500, "internal_error"))
    if code in ("reasoner_busy", "reasoner_refused"):
        found = ANSWERED.search(error.get("cause", ""))
        answered = int(found.group(1)) if found else 500
        other = (400, "llm_bad_request") if code == "reasoner_refused" else (500, "llm_error")
        status, kind = BY_STATUS.get(answered, other)
    elif code.startswith(("reasoner", "reply")) and code not in BY_CODE:
        status, kind = 500, "llm_error"
    evidence = error.get("evidence")
    detail = " ".join(filter(None, (error.get("cause"), f"({evidence})" if evidence else None)))
    return Failure(status, kind, WORDS[kind], detail or WORDS[kind])


def stop_word(state: str, reason: str | None, error: dict[str, str] | None) -> str | None:
    """Why a run ended, in Letta's words; None where it has not."""
    code = (error or {}).get("code", "")
    if reason == StopReason.error and code.startswith(("reasoner", "context_too_long", "reply")):
        return "llm_api_error"
    return wire_stop(state, reason)
