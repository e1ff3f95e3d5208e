"""Who may do what: keys of a server, the tenants that it serves, and the people that memories are about."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlmodel import Field, SQLModel

from pagemind.records.base import Json, json_list, json_object, key, moment, tenant, texts, timestamp


class Scope(StrEnum):
    """What a key may do. Each holds for its own tenant only."""

    read = "read"
    chat = "chat"
    """Read, and talk to agents."""
    admin = "admin"
    """Everything in the tenant."""
    tenant = "tenant"
    """Everything, and make tenants and their keys."""


class ApiKey(SQLModel, table=True):
    """A key that was shown once. What is stored is its digest."""

    __tablename__: ClassVar[str] = "api_keys"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    name: str = ""
    digest: str
    """SHA-256 of the whole key, in hexadecimal; a key has 256 random bits, so that a slow hash would add nothing."""
    scopes: list[str] = texts()
    created_at: datetime = timestamp()
    used_at: datetime | None = moment()
    revoked_at: datetime | None = moment()


class Tenancy(SQLModel, table=True):
    """A tenant that the operator, whose row this is, has made and serves."""

    __tablename__: ClassVar[str] = "tenancies"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    """The made tenant's id."""
    name: str
    created_at: datetime = timestamp()


class Identity(SQLModel, table=True):
    """Somebody, or something, that agents and their memories are about."""

    __tablename__: ClassVar[str] = "identities"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    identifier: str
    """The name that the outside knows it by; unique in the tenant."""
    name: str
    kind: str = "user"
    properties: list[Json] = json_list()
    extra: Json = json_object()
    """What a front gives back and the runtime does not read."""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()


class AgentIdentity(SQLModel, table=True):
    """Which agents an identity talks to."""

    __tablename__: ClassVar[str] = "agent_identities"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    agent_id: UUID = Field(primary_key=True)
    identity_id: UUID = Field(primary_key=True)


class BlockIdentity(SQLModel, table=True):
    """Which blocks are about an identity."""

    __tablename__: ClassVar[str] = "block_identities"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    block_id: UUID = Field(primary_key=True)
    identity_id: UUID = Field(primary_key=True)
