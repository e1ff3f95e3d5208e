"""Ids on the wire: ``agent-<uuid>``, where the store has the uuid alone."""

from __future__ import annotations

import hashlib
from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, WithJsonSchema

HEX = "[0-9a-f]"
UUID_PATTERN = f"{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}"


def wire_id(prefix: str, record_id: UUID) -> str:
    """The id as it stands on the wire."""
    return f"{prefix}-{record_id}"


def optional_id(prefix: str, record_id: UUID | None) -> str | None:
    """The same of an id that may be missing."""
    return None if record_id is None else wire_id(prefix, record_id)


def record_id(prefix: str, text: str) -> UUID:
    """The store's id behind ``<prefix>-<uuid>``; ValueError for anything else."""
    head, uuid = text[: len(prefix) + 1], text[len(prefix) + 1 :]
    if head != f"{prefix}-" or len(uuid) != 36 or uuid != uuid.lower():
        raise ValueError(f"{text[:80]!r} is no id of the form {prefix}-<uuid>")
    return UUID(uuid)


def parsed(prefix: str) -> BeforeValidator:
    """Reads an id of the wire as the store's; a malformed one is answered with 422."""

    def parse(value: object) -> UUID:
        return value if isinstance(value, UUID) else record_id(prefix, str(value))

    return BeforeValidator(parse)


def shown(prefix: str) -> WithJsonSchema:
    """How such an id stands in the API's description."""
    return WithJsonSchema({"type": "string", "pattern": f"^{prefix}-{UUID_PATTERN}$"})


def built_in_id(kind: str, name: str) -> UUID:
    """The id of something that has no row, such as a built-in tool: the same on every machine, in the form of a version 4."""
    digest = hashlib.sha256(f"pagemind/{kind}/{name}".encode()).digest()
    return UUID(bytes=digest[:16], version=4)


AgentId = Annotated[UUID, parsed("agent"), shown("agent")]
BlockId = Annotated[UUID, parsed("block"), shown("block")]
MessageId = Annotated[UUID, parsed("message"), shown("message")]
RunId = Annotated[UUID, parsed("run"), shown("run")]
StepId = Annotated[UUID, parsed("step"), shown("step")]
ToolId = Annotated[UUID, parsed("tool"), shown("tool")]
ArchiveId = Annotated[UUID, parsed("archive"), shown("archive")]
PassageId = Annotated[UUID, parsed("passage"), shown("passage")]
ConversationId = Annotated[UUID, parsed("conv"), shown("conv")]
IdentityId = Annotated[UUID, parsed("identity"), shown("identity")]
FolderId = Annotated[UUID, parsed("source"), shown("source")]
FileId = Annotated[UUID, parsed("file"), shown("file")]
McpServerId = Annotated[UUID, parsed("mcp_server"), shown("mcp_server")]
