"""Tools that are kept in the store: from source, or of an MCP server."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from sqlmodel import SQLModel

from pagemind.records.base import Json, json_object, key, tenant, texts, timestamp


class ToolKind(StrEnum):
    """Where a stored tool runs."""

    source = "source"
    """Python that its author wrote: in a process of its own, where the operator allows it."""
    mcp = "mcp"
    """On an MCP server."""


class StoredTool(SQLModel, table=True):
    """A tool of the tenant's own. Its name is the tenant's only one of that name, built-in tools apart."""

    __tablename__: ClassVar[str] = "tools"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    name: str
    kind: str = ToolKind.source
    description: str = ""
    source: str = ""
    """Python, of which the function called ``name`` (else the last public one) is the tool."""
    parameters: Json = json_object()
    """JSON Schema of its arguments."""
    tags: list[str] = texts()
    needs_approval: bool = False
    result_limit_chars: int | None = None
    mcp_server_id: UUID | None = None
    extra: Json = json_object()
    """What a front gives back and the runtime does not read."""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()


class McpServer(SQLModel, table=True):
    """A server of the Model Context Protocol whose tools agents may call."""

    __tablename__: ClassVar[str] = "mcp_servers"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    name: str
    kind: str
    """``stdio``, ``sse`` or ``streamable_http``."""
    config: Json = json_object()
    """Its address or command, and what it is authorised with. Never logged."""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()
