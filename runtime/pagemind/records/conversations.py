"""What was said: conversations and their messages."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlmodel import SQLModel

from pagemind.records.base import Json, json_list, json_object, json_or_none, key, moment, tenant, timestamp


class Conversation(SQLModel, table=True):
    """A thread with one agent, and what of it stands in the window: the *epoch*.

    An epoch is the time between two compactions. While it lasts the prompt only grows: ``snapshot`` and ``summary`` stand
    still, and the messages from ``resident_from`` on follow them.
    """

    __tablename__: ClassVar[str] = "conversations"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    agent_id: UUID
    main: bool = False
    """The one that an agent is talked to in where no conversation is named; an agent has at most one."""
    title: str = ""
    next_seq: int = 1
    """The ``seq`` that the next message of the history gets."""
    epoch: int = 1
    resident_from: int = 1
    """The first ``seq`` that is in the window; everything before it is paged out."""
    snapshot: str | None = None
    """The blocks as they were rendered at the epoch's start; None before the first step."""
    summary: str = ""
    summary_tokens: int = 0
    kept: list[Json] = json_list()
    """Paged-out messages that stay in view word for word: ``[{"seq", "text"}]`` (``memory.keep_tokens``)."""
    known_revisions: Json = json_object()
    """Block id -> the revision that this conversation's history tells of, by snapshot, tool result or notice."""
    bias_tokens: int = 0
    """The last reported ``usage.prompt_tokens`` less our own count of the same prompt; 0 where counts are exact."""
    prefix: Json | None = json_or_none()
    """What the last prompt was, as digests: ``memory.prefix.Ledger``. None before the first step."""
    served_by: str = ""
    """The server, and which life of it, that answered last: its cache holds the prefix."""
    stepped_at: datetime | None = moment()
    """When the last step was stored."""
    turns: int = 0
    """Inputs that took their place in the history: the clock of page faults."""
    paged_in: int = 0
    paged_out: int = 0
    extra: Json = json_object()
    """What a front gives back and the runtime does not read."""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()
    archived_at: datetime | None = moment()
    deleted_at: datetime | None = moment()


class Role(StrEnum):
    """Who speaks.

    ``notice`` is the runtime telling the agent of an edit from elsewhere, or of a malformed call; ``system`` is whoever runs
    the agent speaking in the middle of a conversation; ``approval`` is a person's answer to calls that wait for one: it stands
    in the history and never in a prompt.
    """

    user = "user"
    system = "system"
    approval = "approval"
    assistant = "assistant"
    tool = "tool"
    notice = "notice"


class Message(SQLModel, table=True):
    """One entry of a conversation, kept for good whether it is in the window or not."""

    __tablename__: ClassVar[str] = "messages"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    conversation_id: UUID
    run_id: UUID | None = None
    """None for a message that was there before any run: an agent's first ones, or imported."""
    step_id: UUID | None = None
    seq: int | None = None
    """The place in the history, from 1, without gaps; None while an accepted input waits for its run."""
    role: str
    content: str = ""
    reasoning: str = ""
    calls: list[Json] | None = json_or_none()
    """An assistant's tool calls: ``[{"id", "name", "arguments"}]``, arguments as the JSON text that the model wrote."""
    call_id: str | None = None
    """Of a tool's return: the id of the call it answers."""
    name: str | None = None
    """Of a tool's return: the tool."""
    status: str = "ok"
    """``ok`` or ``error`` (of a tool's return)."""
    tokens: int = 0
    """What it costs in the window, as the reasoner's chat template prints it."""
    needs_approval: bool = False
    """Of an assistant's message: its calls wait, or waited, for a person or a client to answer them."""
    approvals: list[Json] | None = json_or_none()
    """Of an approval: ``[{"call_id", "approve", "reason"}]``, or ``[{"call_id", "result", "status"}]`` for a client's tool."""
    parts: list[Json] | None = json_or_none()
    """The content as it came, where it was more than one text."""
    otid: str | None = None
    """The sender's own id of the message."""
    sender: str | None = None
    """The identity that sent it."""
    recalled: bool = False
    """Of a tool's return: it repeats what a search brought back, and is never taken for something new."""
    stamped: bool = False
    """Whether the model reads the time it was sent at above it: it came after a pause."""
    created_at: datetime = timestamp()
