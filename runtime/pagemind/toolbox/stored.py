"""Tools that are rows, not files: from source, or of an MCP server. They run outside of this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pagemind.records.tools import StoredTool, ToolKind
from pagemind.toolbox.calls import CallResult

SOURCE_REFUSED = (
    "{name} did not run: tools that came as source may not run on this server. Tell the user that whoever runs the server can "
    "allow it with PAGEMIND_ALLOW_TOOL_SOURCE=true."
)
NOT_HERE = "{name} did not run: this runtime has nothing that runs tools of the kind {kind!r}. Go on without it."


class Outside(Protocol):
    """Where a stored tool runs: source in a process of its own, a tool of an MCP server on that server."""

    async def call(
        self, tool: StoredTool, arguments: Mapping[str, Any], *, secrets: Mapping[str, str], timeout_seconds: float
    ) -> CallResult:
        """What the tool gave back. Failures and time-outs are results, too (status ``error``), in words for the model.

        ``arguments`` are checked against the tool's parameters; ``secrets`` are the agent's, as environment variables. The
        call is cancelled where the run is, and then nothing of it may go on. Only StoreError is raised.
        """
        ...


class Nowhere:
    """Runs nothing, and says so."""

    async def call(
        self, tool: StoredTool, arguments: Mapping[str, Any], *, secrets: Mapping[str, str], timeout_seconds: float
    ) -> CallResult:
        """A refusal."""
        return CallResult(NOT_HERE.format(name=tool.name, kind=tool.kind), status="error")


def refused(tool: StoredTool, *, allow_source: bool) -> str | None:
    """Why the tool may not run here, in words for the model; None where it may."""
    return SOURCE_REFUSED.format(name=tool.name) if tool.kind == ToolKind.source and not allow_source else None
