"""What goes wrong, as Letta's clients read it: a status and ``{"detail": ...}``."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus

from pagemind import errors as said
from pagemind.errors import PagemindError


class Problem(Exception):
    """An answer that is no success. ``detail`` is a text, or an object where the wire has one."""

    def __init__(self, status: int, detail: object, *, headers: dict[str, str] | None = None, body: object = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.body = {"detail": detail} if body is None else body


def not_found(kind: str, wire_id: str) -> Problem:
    """404 with the id."""
    return Problem(HTTPStatus.NOT_FOUND, f"{kind.capitalize()} {wire_id} was not found.")


def bad_request(detail: str) -> Problem:
    """400."""
    return Problem(HTTPStatus.BAD_REQUEST, detail)


def conflict(detail: object) -> Problem:
    """409, which the SDK repeats unless it is told not to."""
    return Problem(HTTPStatus.CONFLICT, detail, headers=dict(NO_RETRY))


def unprocessable(detail: str) -> Problem:
    """422 for what validation cannot see."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, body={"trace_id": "", "detail": detail})


STATUS: tuple[tuple[type[PagemindError], int], ...] = (
    (said.UnknownAgent, 404),
    (said.UnknownRecord, 404),
    (said.UnknownBlock, 404),
    (said.IdempotencyConflict, 422),
    (said.EmptyMessage, 422),
    (said.MessageTooLong, 413),
    (said.FileTooLarge, 413),
    (said.UnknownFileType, 415),
    (said.UnknownApproval, 400),
    (said.PendingApproval, 409),
    (said.BadInput, 422),
    (said.ToolRefusal, 400),
    (said.ConversationBusy, 409),
    (said.QueueFull, 429),
    (said.NothingToUndo, 409),
    (said.DefinitionError, 422),
    (said.BadAgentFile, 400),
    (said.ReasonerTimeout, 504),
    (said.ReasonerUnreachable, 503),
    (said.ReasonerBusy, 429),
    (said.ReasonerError, 502),
    (said.EmbedderError, 503),
    (said.StoreUnavailable, 503),
    (said.StoreConflict, 409),
    (said.UnstorableValue, 422),
    (said.StoreError, 500),
)
"""The first that fits counts."""

PREFIXES = {"conversation": "conv", "storedtool": "tool", "mcpserver": "mcp_server", "folder": "source"}
"""Of the ids on the wire, where they are not the record's name."""
LLM_TYPES = {429: "llm_rate_limit", 503: "llm_error", 504: "llm_timeout", 502: "llm_error"}
RETRY_AFTER_SECONDS = 2
NO_RETRY = {"x-should-retry": "false"}


def status_of_code(code: str) -> int:
    """The status for the ``code`` of an error that a run has recorded; 500 where it is none of those above."""
    return next((status for kind, status in STATUS if code in codes_of(kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


@cache
def codes_of(kind: type[PagemindError]) -> frozenset[str]:
    """The codes of an error and of all that are a kind of it."""
    return frozenset({kind.code}.union(*map(codes_of, kind.__subclasses__())))


def problem_of(error: PagemindError) -> Problem:
    """The answer for an error of the runtime: its own words, and a status."""
    status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status in (429, 503) else {}
    match error:
        case said.UnknownRecord():
            prefix = PREFIXES.get(error.kind, error.kind)
            return not_found(error.kind, error.id if error.id.startswith(f"{prefix}-") else f"{prefix}-{error.id}")
        case said.ReasonerError():
            told = {"type": LLM_TYPES.get(status, "llm_error"), "message": error.cause, "detail": error.evidence}
            return Problem(status, str(error), headers=headers, body={"error": told})
        case said.PendingApproval():
            told = {"code": "PENDING_APPROVAL", "message": str(error), "pending_request_id": f"message-{error.message_id}"}
            return conflict(told)
        case said.UnstorableValue():
            return unprocessable(str(error))
        case said.StoreConflict():
            return conflict(str(error))
        case said.StoreError():
            return Problem(status, error.cause, headers=headers)  # its evidence names places of this machine
        case _:
            return Problem(status, str(error), headers=headers)
