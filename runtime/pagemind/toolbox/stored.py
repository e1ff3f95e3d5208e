"""Tools that are rows, not files: from source, or of an MCP server. They run outside of this process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, cast

from pagemind.records import Json, StoredTool, ToolKind, ToolSchema
from pagemind.toolbox.calls import CallResult
from pagemind.toolbox.json_arguments import arguments_of
from pagemind.toolbox.registry import ToolSpec
from pagemind.toolbox.schemas import Arguments

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


def stored_spec(
    tool: StoredTool, outside: Outside, *, secrets: Mapping[str, str], timeout_seconds: float, allow_source: bool
) -> ToolSpec:
    """The tool as one that an agent may call: its call goes ``outside``, at most once (contract D4)."""
    schema, arguments = _described(tool.name, tool.kind, tool.description, json.dumps(tool.parameters))
    refusal = refused(tool, allow_source=allow_source)

    async def call(**given: Any) -> CallResult:
        if refusal is not None:
            return CallResult(refusal, status="error")
        return await outside.call(tool, given, secrets=secrets, timeout_seconds=timeout_seconds)

    return ToolSpec(
        name=tool.name,
        function=call,
        schema=schema,
        effect="at_most_once",
        arguments=arguments,
        path=Path(),
        needs_approval=tool.needs_approval,
        result_limit_chars=tool.result_limit_chars,
    )


@lru_cache(1024)
def _described(name: str, kind: str, description: str, parameters: str) -> tuple[ToolSchema, Arguments]:
    """What the model sees of it, and what checks its arguments; made once for each version of the tool."""
    shown = shown_parameters(json.loads(parameters))
    others = kind == ToolKind.mcp or bool(shown.get("additionalProperties"))
    return ToolSchema(name, description, shown), arguments_of(name, shown, others=others)


def client_specs(tools: tuple[Json, ...]) -> tuple[ToolSpec, ...]:
    """Tools that the caller of a run brings: ``{"name", "description", "parameters"}`` each. Nothing here runs them."""
    return _client_specs(json.dumps(tools, sort_keys=True)) if tools else ()


@lru_cache(256)
def _client_specs(tools: str) -> tuple[ToolSpec, ...]:
    return tuple(_client_spec(cast("Json", each)) for each in json.loads(tools))


def _client_spec(tool: Json) -> ToolSpec:
    name, parameters = str(tool["name"]), shown_parameters(tool.get("parameters"))
    return ToolSpec(
        name=name,
        function=_elsewhere,
        schema=ToolSchema(name, str(tool.get("description") or ""), parameters),
        effect="at_most_once",
        arguments=arguments_of(name, parameters, others=True),
        path=Path(),
        client=True,
    )


async def _elsewhere(**_: Any) -> CallResult:
    return CallResult("This tool is run by the client, which gave no result.", status="error")


def shown_parameters(parameters: object) -> Json:
    """A JSON Schema object as a model is shown it, also where hardly anything was given."""
    given = cast("Json", parameters) if isinstance(parameters, dict) else {}
    return {**given, "type": "object", "properties": given.get("properties") or {}}
