"""Who there is: tenants and agents."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlmodel import Field, SQLModel

from pagemind.records.base import Json, json_list, json_object, json_or_none, key, moment, tenant, texts, timestamp


class Tenant(SQLModel, table=True):
    """Who owns data. The embedding model of a tenant's vectors is fixed here by the first vector that is stored."""

    __tablename__: ClassVar[str] = "tenants"  # pyright: ignore[reportIncompatibleVariableOverride]

    id: UUID = Field(primary_key=True)
    name: str
    embedding_model: str | None = None
    embedding_dimensions: int | None = None
    created_at: datetime = timestamp()


class Agent(SQLModel, table=True):
    """A definition plus its memory."""

    __tablename__: ClassVar[str] = "agents"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    name: str
    description: str = ""
    model: Json = json_object()
    """The definition's ``model`` section as JSON (see ``definitions.schema.ModelSpec``); secrets stay references."""
    instructions: str = ""
    tools: list[str] = texts()
    """Names of the tools it may call, in the order in which the model sees them."""
    memory: Json = json_object()
    """The definition's ``memory`` section as JSON (see ``definitions.schema.MemorySpec``)."""
    tags: list[str] = texts()
    kind: str = ""
    """What the front that made it calls this sort of agent; one loop runs them all."""
    rules: list[Json] = json_list()
    """When which tool may be called (``memory.rules``)."""
    secrets: Json = json_object()
    """Environment variables of its tools. Never logged, never exported."""
    files_revision: int = 0
    """Counts up by one with each change of the folders and open files that it sees."""
    extra: Json = json_object()
    """What a front gives back and the runtime does not read."""
    applied: Json | None = json_or_none()
    """The definition as last applied, the base of the three-way plan; None when not made from a file."""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()
    deleted_at: datetime | None = moment()
