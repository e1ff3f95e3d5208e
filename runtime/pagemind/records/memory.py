"""What an agent remembers: blocks with their revisions, archives with their passages, and the vectors of both."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from pgvector.sqlalchemy import HALFVEC
from sqlmodel import Field, SQLModel

from pagemind.records.base import Json, ids, json_object, key, moment, tenant, texts, timestamp


class Owner(StrEnum):
    """Who has the last word on a block: the file it was defined in, or the agent that lives with it."""

    config = "config"
    agent = "agent"


class Block(SQLModel, table=True):
    """A labelled text that stays in the context window. Its newest value is here, every older one in ``BlockRevision``."""

    __tablename__: ClassVar[str] = "blocks"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    label: str
    value: str = ""
    description: str = ""
    limit_chars: int = 5000
    read_only: bool = False
    owner: str = Owner.agent
    revision: int = 1
    """Counts up by one with each change of the value; 1 is the seed."""
    tags: list[str] = texts()
    extra: Json = json_object()
    """What a front gives back and the runtime does not read."""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()
    deleted_at: datetime | None = moment()


class BlockRevision(SQLModel, table=True):
    """One value that a block has had, who gave it that value, and by which edit."""

    __tablename__: ClassVar[str] = "block_revisions"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    block_id: UUID = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    value: str
    author: str
    """``agent:<name>``, ``person:<name>``, ``config:<file>`` or ``job:<name>``."""
    edit: Json = json_object()
    """The operation that made it (``records.edits``), as JSON; ``{"kind": "seed"}`` for the first."""
    run_id: UUID | None = None
    step_id: UUID | None = None
    created_at: datetime = timestamp()


class AgentBlock(SQLModel, table=True):
    """Which block stands in which agent's window, and in what order. One block may serve several agents."""

    __tablename__: ClassVar[str] = "agent_blocks"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    agent_id: UUID = Field(primary_key=True)
    block_id: UUID = Field(primary_key=True)
    label: str
    position: int = 0


class Archive(SQLModel, table=True):
    """A store of passages, readable by every agent attached to it."""

    __tablename__: ClassVar[str] = "archives"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    name: str
    description: str = ""
    extra: Json = json_object()
    """What a front gives back and the runtime does not read."""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()
    deleted_at: datetime | None = moment()


class AgentArchive(SQLModel, table=True):
    """Which archives an agent searches; it writes to the one at the lowest position."""

    __tablename__: ClassVar[str] = "agent_archives"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    agent_id: UUID = Field(primary_key=True)
    archive_id: UUID = Field(primary_key=True)
    position: int = 0


class Origin(StrEnum):
    """Who vouches for a passage."""

    stated = "stated"
    """A person said or stored it."""
    read = "read"
    """A tool read it somewhere."""
    inferred = "inferred"
    """The model wrote it."""
    imported = "imported"
    """It came with a file or from another system."""


class Passage(SQLModel, table=True):
    """A text in an archive. It is superseded, never overwritten."""

    __tablename__: ClassVar[str] = "passages"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    archive_id: UUID
    text: str
    tags: list[str] = texts()
    source: str = ""
    """Where it came from: ``agent:<name>``, ``person:<name>``, a file's name, a URL."""
    evidence: list[UUID] = ids()
    """The messages it came from."""
    run_id: UUID | None = None
    step_id: UUID | None = None
    file_id: UUID | None = None
    """The file that it is a piece of."""
    extra: Json = json_object()
    """What a front gives back and the runtime does not read."""
    origin: str = Origin.inferred
    """Who vouches for it."""
    confidence: float | None = None
    """How far it is trusted, 0 to 1; None: as far as its ``origin``."""
    identity_id: UUID | None = None
    """Whom it is about."""
    review_by: datetime | None = moment()
    """From when on it counts for less, until somebody confirms it; None: never."""
    expires_at: datetime | None = moment()
    """From when on no search brings it; None: never."""
    refreshed_at: datetime | None = moment()
    """When a search last brought it, where that keeps it young; None: as old as ``created_at``."""
    gist: UUID | None = None
    """Of what was stored by hand, ``memory.duplicates.gist`` of its text: an archive has it in force but once."""
    superseded_by: UUID | None = None
    superseded_at: datetime | None = moment()
    created_at: datetime = timestamp()


@dataclass(frozen=True)
class Archived:
    """What became of a text for the archive: ``text`` stands there under that id."""

    id: UUID
    text: str
    since: datetime | None = None
    """When it was stored before; None: it is new."""


class PassageEmbedding(SQLModel, table=True):
    """A passage's unit vector under one embedding model (``halfvec`` of that model's dimensions)."""

    __tablename__: ClassVar[str] = "passage_embeddings"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    passage_id: UUID = Field(primary_key=True)
    model: str = Field(primary_key=True)
    archive_id: UUID
    embedding: Any = Field(sa_type=HALFVEC)


class MessageEmbedding(SQLModel, table=True):
    """A message's unit vector under one embedding model (``halfvec`` of that model's dimensions)."""

    __tablename__: ClassVar[str] = "message_embeddings"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    message_id: UUID = Field(primary_key=True)
    model: str = Field(primary_key=True)
    conversation_id: UUID
    embedding: Any = Field(sa_type=HALFVEC)


class EmbeddingModel(SQLModel, table=True):
    """An embedding model that the tenant has vectors of, or is going to have. The tenant's row names the one that serves."""

    __tablename__: ClassVar[str] = "embedding_models"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    model: str = Field(primary_key=True)
    dimensions: int
    url: str | None = None
    """The server of an ``openai:`` model, where it is not the configured one."""
    kept_up: bool
    """Whether each new text gets its vector by it: it serves, or it is being added."""
    queued: bool
    """Whether all texts of the time before it was added are queued for their vectors."""
    held_until: datetime | None = moment()
    """Until when somebody lays its vectors who is not to be helped."""
    added_at: datetime = timestamp()
    served_at: datetime | None = moment()
    """When it began to serve, the last time."""


class Unembedded(SQLModel, table=True):
    """A text that lacks its vector by a model. Triggers add it with the text and remove it with the vector."""

    __tablename__: ClassVar[str] = "unembedded"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    model: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    bulk: bool
    """Whether it goes behind what was said or stored one by one: a piece of a file, or a text of before the model came."""
    failures: int = 0
    due_at: datetime = timestamp()
    """When it is (next) to be tried."""
