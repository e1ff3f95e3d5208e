"""Where stored tools run: source in a process of its own, tools of MCP servers there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pagemind.errors import McpError, ToolSourceOff, UnknownRecord
from pagemind.records import McpServer, StoredTool, ToolKind
from pagemind.settings import Settings
from pagemind.store import mcp_servers
from pagemind.store.database import Database
from pagemind.toolbox.calls import CallResult
from pagemind.toolbox.mcp_server import McpAddress
from pagemind.toolbox.mcp_sessions import McpSessions
from pagemind.toolbox.source_runner import SourceOutcome, SourceRunner

PYTHON_ONLY = "{name} did not run: its source is {language}, and only Python runs here. Go on without it."


class OutsideTools:
    """The stored tools of one tenant, as they are run: with or without a model."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self.source = SourceRunner(allowed=settings.allow_tool_source)
        self.mcp = McpSessions(allow_stdio=settings.allow_mcp_stdio)

    async def close(self) -> None:
        """End the sessions that are open."""
        await self.mcp.close()

    async def call(
        self, tool: StoredTool, arguments: Mapping[str, Any], *, secrets: Mapping[str, str], timeout_seconds: float
    ) -> CallResult:
        """What the tool gave back, as the model reads it. Only StoreError is raised."""
        try:
            outcome = await self.run(tool, arguments, secrets=secrets, timeout_seconds=timeout_seconds)
        except (McpError, ToolSourceOff, UnknownRecord) as error:
            return CallResult(f"{tool.name} failed: {error}", status="error")
        return CallResult(as_text(outcome), status="ok" if outcome.ok else "error")

    async def run(
        self, tool: StoredTool, arguments: Mapping[str, Any], *, secrets: Mapping[str, str], timeout_seconds: float
    ) -> SourceOutcome:
        """What the tool gave back and printed. Raises McpError, ToolSourceOff, StoreError."""
        if tool.kind == ToolKind.mcp:
            return await self._on_server(tool, arguments, timeout_seconds)
        language = tool.extra.get("source_type", "python")
        if language == "typescript":
            return SourceOutcome(False, error=PYTHON_ONLY.format(name=tool.name, language=language))
        return await self.source.run(tool.source, tool.name, dict(arguments), secrets=secrets, seconds=timeout_seconds)

    async def _on_server(self, tool: StoredTool, arguments: Mapping[str, Any], seconds: float) -> SourceOutcome:
        if tool.mcp_server_id is None:
            return SourceOutcome(False, error=f"{tool.name} has lost its server. Go on without it.")
        async with self._database.transaction() as session:
            server = await mcp_servers.get(session, tool.mcp_server_id)
        name = tool.extra.get("mcp_name", tool.name)
        result = await self.mcp.call(server.id, address_of(server), name, dict(arguments), seconds)
        return SourceOutcome(True, result.text) if result.ok else SourceOutcome(False, error=result.text)


def address_of(server: McpServer) -> McpAddress:
    """Where the server is and what it is authorised with."""
    return McpAddress.of(server.name, server.kind, server.config)


def as_text(outcome: SourceOutcome) -> str:
    """What came back, for a model: JSON where it is no text."""
    if not outcome.ok:
        return outcome.error
    if outcome.value is None:
        return outcome.stdout.strip() or "Done."
    return outcome.value if isinstance(outcome.value, str) else json.dumps(outcome.value, ensure_ascii=False)
