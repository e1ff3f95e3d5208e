"""Documents: folders of files that agents open, search and read."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID, uuid4

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from pagemind.records.base import Json, json_object, key, moment, tenant, timestamp


class Folder(SQLModel, table=True):
    """A folder of files; their pieces are the passages of its archive."""

    __tablename__: ClassVar[str] = "folders"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    name: str
    description: str = ""
    instructions: str = ""
    """How to use it, for the agents it is attached to."""
    archive_id: UUID
    extra: Json = json_object()
    """What a front gives back and the runtime does not read."""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()


class FileState(StrEnum):
    """How far a file is. The last two are final."""

    pending = "pending"
    embedding = "embedding"
    completed = "completed"
    error = "error"


class File(SQLModel, table=True):
    """An uploaded document as text."""

    __tablename__: ClassVar[str] = "files"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    folder_id: UUID
    name: str
    media_type: str = ""
    size_bytes: int = Field(default=0, sa_type=BigInteger)
    text: str = ""
    upload: bytes | None = None
    """As it came; None once it is text."""
    state: str = FileState.pending
    error: str = ""
    chunks: int = 0
    """Its passages."""
    extra: Json = json_object()
    """What a front gives back and the runtime does not read."""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()


class AgentFolder(SQLModel, table=True):
    """Which folders an agent may read."""

    __tablename__: ClassVar[str] = "agent_folders"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    agent_id: UUID = Field(primary_key=True)
    folder_id: UUID = Field(primary_key=True)
    created_at: datetime = timestamp()


class AgentFile(SQLModel, table=True):
    """A file that an agent has, or had, open, and which part of it stands in its window."""

    __tablename__: ClassVar[str] = "agent_files"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    agent_id: UUID = Field(primary_key=True)
    file_id: UUID = Field(primary_key=True)
    id: UUID = Field(default_factory=uuid4)
    is_open: bool = False
    first_line: int | None = None
    last_line: int | None = None
    shown: str = ""
    """What of it stands in the window, as the model reads it."""
    revision: int = 0
    """``Agent.files_revision`` at which it was last opened or closed."""
    used_at: datetime | None = moment()
    created_at: datetime = timestamp()
