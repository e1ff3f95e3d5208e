"""What is being done: runs, their steps, the calls to outside tools, and the events that went out."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Identity
from sqlmodel import Field, SQLModel

from pagemind.records.base import Json, json_object, json_or_none, key, moment, tenant, texts, timestamp


class RunState(StrEnum):
    """Where a run stands. The last three are final."""

    queued = "queued"
    running = "running"
    completed = "completed"
    failed = "failed"
    cancelled = "cancelled"


class StopReason(StrEnum):
    """Why a run ended."""

    end_turn = "end_turn"
    max_steps = "max_steps"
    max_seconds = "max_seconds"
    max_tokens = "max_tokens"
    tool_rule = "tool_rule"
    """A tool was called that ends the run."""
    requires_approval = "requires_approval"
    """Calls wait for a person's approval, or for the client whose tools they call."""
    invalid_calls = "invalid_calls"
    window_full = "window_full"
    cancelled = "cancelled"
    error = "error"


class Run(SQLModel, table=True):
    """One accepted input carried to its stop reason."""

    __tablename__: ClassVar[str] = "runs"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    position: int | None = Field(default=None, sa_type=BigInteger, sa_column_args=(Identity(always=True),))
    """The order of acceptance."""
    conversation_id: UUID
    agent_id: UUID
    state: str = RunState.queued
    stop_reason: str | None = None
    error: Json | None = json_or_none()
    limits: Json = json_object()
    """``max_steps``, ``max_seconds``, ``max_tokens`` of this run."""
    request: Json = json_object()
    """What this run is asked to do otherwise: ``records.inputs.Request`` as JSON."""
    extra: Json = json_object()
    """What a front gives back and the runtime does not read."""
    idempotency_key: str | None = None
    request_hash: str = ""
    epoch: int = 0
    """Counts up with each claim; a write that carries an older epoch changes nothing."""
    worker_id: UUID | None = None
    lease_until: datetime | None = moment()
    cancel_requested_at: datetime | None = moment()
    background: bool = False
    """Nobody waits for it: it goes behind the runs that somebody waits for."""
    attempts: int = 0
    """Malformed replies in a row, so far."""
    steps: int = 0
    events: int = 0
    """How many events this run has stored: the next event's ``seq`` less one."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    created_at: datetime = timestamp()
    started_at: datetime | None = moment()
    finished_at: datetime | None = moment()


class Step(SQLModel, table=True):
    """One model call with the tool calls it asked for.

    A step whose reply calls an outside tool is stored before the tool runs (``acting``, with the reply), so that a crash
    neither repeats the call nor asks the model again; every other step is stored once, when it is ``done``.
    """

    __tablename__: ClassVar[str] = "steps"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    run_id: UUID
    index: int
    state: str = "done"
    reply: Json | None = json_or_none()
    """The completion while the step is ``acting``; None once its messages are stored."""
    model: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    counted_tokens: int = 0
    """The prompt by our own count, before the call."""
    cached_tokens: int = 0
    completion_tokens: int = 0
    epoch: int = 0
    """The conversation's epoch."""
    prefix: str = ""
    """How the prompt began, beside the one before: ``memory.prefix.Verdict``."""
    common_tokens: int = 0
    """The length of the common prefix with the prompt of the step before."""
    feedback: str | None = None
    """``positive`` or ``negative``, where somebody said so."""
    block_hits: list[str] = texts()
    """The labels of the blocks that the reply drew on (``memory.hits``)."""
    timings: Json = json_object()
    """Milliseconds by stage: ``read, compile, reason, act, persist``, ``first_token``."""
    created_at: datetime = timestamp()


class ToolCall(SQLModel, table=True):
    """A call to an outside tool: stored as ``started`` before it runs, as ``done`` with its result after (contract D4)."""

    __tablename__: ClassVar[str] = "tool_calls"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    step_id: UUID = Field(primary_key=True)
    index: int = Field(primary_key=True)
    run_id: UUID
    name: str
    state: str = "started"
    result: str | None = None
    status: str = "ok"
    started_at: datetime = timestamp()
    finished_at: datetime | None = moment()


class RunEvent(SQLModel, table=True):
    """An event that followers of a run may read again from any ``seq`` on (contract D8)."""

    __tablename__: ClassVar[str] = "run_events"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    run_id: UUID = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    data: Json = json_object()
    """The event as ``events.to_json`` writes it."""
    created_at: datetime = timestamp()
