"""What paging did: how each epoch began, and which paged-out messages were needed again."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, Integer
from sqlmodel import Field, SQLModel

from pagemind.records.base import key, tenant, timestamp


class Cause(StrEnum):
    """Why an epoch began."""

    full = "full"
    """The window was full in the middle of a run."""
    early = "early"
    """The window was nearly full and no run was going on."""
    asked = "asked"
    """Somebody asked for it."""
    notices = "notices"
    """The notices of edits from elsewhere outgrew their budget."""
    definition = "definition"
    """The agent's instructions or tools changed, so that the old prefix was lost anyway."""
    idle = "idle"
    """Nothing was asked for so long that the model server has probably forgotten the prefix."""
    server = "server"
    """Another model server, or another life of it, answers now: its cache is cold."""


class Epoch(SQLModel, table=True):
    """The beginning of a conversation's ``epoch``; the first one has no row.

    ``messages`` were paged out with it, from ``first_seq`` to ``last_seq``; none where only the blocks were rendered anew.
    The tokens are those of the calls that it took: summaries, and warming the new prefix.
    """

    __tablename__: ClassVar[str] = "epochs"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    conversation_id: UUID = Field(primary_key=True)
    epoch: int = Field(primary_key=True)
    cause: str
    run_id: UUID | None = None
    turn: int = 0
    """``Conversation.turns`` when it began."""
    first_seq: int | None = None
    last_seq: int | None = None
    messages: int = 0
    tokens_out: int = 0
    """What the paged-out messages took in the window."""
    tokens_before: int = 0
    tokens_after: int = 0
    summary_tokens: int = 0
    kept: list[int] = Field(default_factory=list, sa_type=ARRAY(Integer))  # pyright: ignore[reportArgumentType, reportCallIssue]
    """The ``seq`` of paged-out messages that stay in view word for word."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    milliseconds: float = 0.0
    created_at: datetime = timestamp()


class PageFault(SQLModel, table=True):
    """A message that had been paged out and that a search brought back."""

    __tablename__: ClassVar[str] = "page_faults"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    conversation_id: UUID
    run_id: UUID
    step_id: UUID
    seq: int
    """The message."""
    turns_out: int
    """How many turns it had been out."""
    tokens: int
    """What it took in the window: the cost of bringing it back."""
    tool: str
    """The tool that brought it back."""
    created_at: datetime = timestamp()
