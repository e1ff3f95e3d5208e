"""What a run emits, as a tagged union.

Most events are stored with the step that made them and can be read again from any ``seq`` on; ``TextDelta``,
``ReasoningDelta``, ``CallStarted`` and ``CallDelta`` are only ever live.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID


@dataclass(frozen=True)
class RunStarted:
    """A worker took the run up; ``epoch`` > 1 says that another one had it before."""

    run_id: UUID
    epoch: int
    type: Literal["run_started"] = "run_started"


@dataclass(frozen=True)
class StepStarted:
    """A model call begins; what is told live until `Replied` belongs to that message of that step. Live only."""

    index: int
    prompt_tokens: int
    window_tokens: int
    step_id: UUID | None = None
    message_id: UUID | None = None
    type: Literal["step_started"] = "step_started"


@dataclass(frozen=True)
class TextDelta:
    """A piece of the reply, behind ``at`` characters of it. Live only."""

    text: str
    at: int = 0
    type: Literal["text_delta"] = "text_delta"


@dataclass(frozen=True)
class ReasoningDelta:
    """A piece of the thinking, behind ``at`` characters of it. Live only."""

    text: str
    at: int = 0
    type: Literal["reasoning_delta"] = "reasoning_delta"


@dataclass(frozen=True)
class CallStarted:
    """The model began to write its call ``index``. Live only."""

    name: str
    index: int = 0
    call_id: str = ""
    type: Literal["call_started"] = "call_started"


@dataclass(frozen=True)
class CallDelta:
    """A piece of the arguments of call ``index``, behind ``at`` characters of them. Live only."""

    text: str
    index: int = 0
    at: int = 0
    type: Literal["call_delta"] = "call_delta"


@dataclass(frozen=True)
class Replied:
    """The assistant's message of one step, whole: the first of the events that are stored with the step.

    ``calls`` are ``id, name, arguments`` of each; with ``waits`` they wait for an answer. ``at`` is when, in ISO 8601.
    """

    text: str
    reasoning: str = ""
    message_id: UUID | None = None
    step_id: UUID | None = None
    calls: tuple[dict[str, Any], ...] = field(default=())
    waits: bool = False
    at: str = ""
    type: Literal["replied"] = "replied"


@dataclass(frozen=True)
class ToolReturned:
    """A tool call and its return.

    ``effect`` is a few words for people, such as ``human +1 line`` or ``3 hits``; ``recalled`` lists what a search paged in,
    ``missed`` what came near it, each as ``memory.telling`` has it, and ``notes`` say what it made of the query.
    """

    call_id: str
    name: str
    arguments: str
    result: str
    status: str
    milliseconds: float
    effect: str = ""
    recalled: tuple[dict[str, Any], ...] = field(default=())
    missed: tuple[dict[str, Any], ...] = field(default=())
    notes: tuple[str, ...] = ()
    message_id: UUID | None = None
    step_id: UUID | None = None
    at: str = ""
    type: Literal["tool_returned"] = "tool_returned"


@dataclass(frozen=True)
class CallsMalformed:
    """The reply's tool calls could not be run; the model was told and is asked again."""

    reason: str
    attempt: int
    type: Literal["calls_malformed"] = "calls_malformed"


@dataclass(frozen=True)
class Compacted:
    """The oldest exchanges were paged out behind a summary; a new epoch began.

    ``cause`` is a `records.Cause`; ``kept`` messages of those that left stay in view word for word. The summary was asked for
    with ``prompt_tokens``, of which a cache served ``cached_tokens``; 0 where no server says so.
    """

    messages: int
    tokens_before: int
    tokens_after: int
    epoch: int
    first_seq: int
    last_seq: int
    cause: str = "full"
    summary_tokens: int = 0
    kept: int = 0
    milliseconds: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    summary: str = ""
    """What stands for the messages, of a compaction within a run."""
    type: Literal["compacted"] = "compacted"


@dataclass(frozen=True)
class StepEnded:
    """A step is stored. ``context_tokens`` of ``window_tokens`` are used now.

    ``common_tokens`` of its prompt were the beginning of the one before; ``prefix`` (a `memory.prefix.Verdict`) says why no
    more were. ``faults`` messages were brought back that had been paged out.
    """

    index: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    context_tokens: int
    window_tokens: int
    counted_tokens: int = 0
    common_tokens: int = 0
    prefix: str = ""
    faults: int = 0
    type: Literal["step_ended"] = "step_ended"


@dataclass(frozen=True)
class RetryScheduled:
    """The reasoner failed in a way that passes; the call is made again after ``seconds``. Live only."""

    reason: str
    seconds: float
    attempt: int
    type: Literal["retry_scheduled"] = "retry_scheduled"


@dataclass(frozen=True)
class RunEnded:
    """The run reached its stop reason. ``error`` is ``PagemindError.as_dict`` where it failed."""

    run_id: UUID
    state: str
    stop_reason: str
    steps: int
    prompt_tokens: int
    completion_tokens: int
    error: dict[str, str] | None = None
    type: Literal["run_ended"] = "run_ended"


Event = (
    RunStarted
    | StepStarted
    | TextDelta
    | ReasoningDelta
    | CallStarted
    | CallDelta
    | Replied
    | ToolReturned
    | CallsMalformed
    | Compacted
    | StepEnded
    | RetryScheduled
    | RunEnded
)


def to_json(event: Event) -> dict[str, Any]:
    """The event as a JSON object; ``type`` is its tag, ids are strings."""
    return {name: str(value) if isinstance(value, UUID) else value for name, value in vars(event).items()}


_BY_TYPE: dict[str, type[Event]] = {
    "run_started": RunStarted,
    "step_started": StepStarted,
    "text_delta": TextDelta,
    "reasoning_delta": ReasoningDelta,
    "call_started": CallStarted,
    "call_delta": CallDelta,
    "replied": Replied,
    "tool_returned": ToolReturned,
    "calls_malformed": CallsMalformed,
    "compacted": Compacted,
    "step_ended": StepEnded,
    "retry_scheduled": RetryScheduled,
    "run_ended": RunEnded,
}


def from_json(data: dict[str, Any]) -> Event:
    """The event that `to_json` wrote; KeyError for a type that this version does not know."""
    fields = dict(data)
    event_type = _BY_TYPE[fields["type"]]
    for name in ("run_id", "message_id", "step_id"):
        if fields.get(name) is not None:
            fields[name] = UUID(fields[name])
    for name in ("recalled", "missed", "notes", "calls"):
        if name in fields:
            fields[name] = tuple(fields[name])
    return event_type(**fields)
