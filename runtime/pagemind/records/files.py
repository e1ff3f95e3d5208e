"""Documents: folders of files that agents open, search and read."""

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Shelf:
    """A folder as an agent sees it in its window: at most the first of its files, and the views of those that are open."""

    name: str
    description: str
    instructions: str
    files_total: int
    files: tuple[str, ...]
    views: tuple[tuple[str, str], ...]
    """Name and view of each open file."""


@dataclass(frozen=True)
class FileRequest:
    """Which part of which file to open: the lines behind the first ``offset``, at most ``length``; None: all that fits."""

    name: str
    offset: int = 0
    length: int | None = None


@dataclass(frozen=True)
class FileView:
    """A part of a file as the model reads it, with the lines it shows, from 1."""

    name: str
    text: str
    first_line: int
    last_line: int
    total_lines: int


@dataclass(frozen=True)
class FilesOpened:
    """What came of opening files: their views, and the names of those that were closed for it."""

    views: tuple[FileView, ...]
    closed: tuple[str, ...]


@dataclass(frozen=True)
class FileMatch:
    """A line that matches, with its neighbours, under their numbers."""

    name: str
    line: int
    text: str


@dataclass(frozen=True)
class FileMatches:
    """A page of the matches, and how many there are in all, by file."""

    total: int
    by_file: tuple[tuple[str, int], ...]
    matches: tuple[FileMatch, ...]


@dataclass(frozen=True)
class FileHit:
    """A piece of a file that a search found, and where in the file it stands."""

    name: str
    text: str
    first_line: int | None
    last_line: int | None
    heading: str
    score: float
