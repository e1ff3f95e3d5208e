"""From what was asked for to a stored tool."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.api.here import Here
from pagemind.api.ids import built_in_id, wire_id
from pagemind.api.letta.tool_bodies import ToolBody, ToolCreate, ToolUpdate
from pagemind.api.problems import bad_request, conflict
from pagemind.engine.kernel import Kernel
from pagemind.errors import BadToolSource
from pagemind.records import Json, StoredTool, ToolKind
from pagemind.store import tools
from pagemind.toolbox.source_schema import SourceSchema, derive_schema

USABLE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
NO_ARGUMENTS: Json = {"type": "object", "properties": {}}


@dataclass(frozen=True)
class Shape:
    """A tool's name, description and parameters; ``given`` is the schema that came with it, as it came."""

    name: str
    description: str
    parameters: Json
    given: Json | None = None


async def put_tool(here: Here, asked: ToolCreate) -> StoredTool:
    """Make the tool, or change the one of its name. A name of a tool that comes with the server is refused."""
    shape = shape_of(asked, asked.source_code)
    if shape.name in here.runtime.kernel.registry:
        raise conflict(f"A tool {shape.name} comes with the server, and its name cannot be used again. Rename the function.")
    async with here.transaction() as session:
        await tools.lock_names(session)
        tool = await tools.find(session, shape.name, lock=True)
        if tool is None:
            tool = StoredTool(tenant_id=here.tenant_id, name=shape.name, extra={"source_type": "json"})
            apply(tool, asked, asked.source_code, shape)
            return await tools.add(session, tool)
        if tool.kind != ToolKind.source:
            raise conflict(f"A tool {shape.name} of an MCP server is there already. Rename the function.")
        apply(tool, asked, asked.source_code, shape)
        await tools.changed(session, tool)
        return tool


async def change_tool(here: Here, session: AsyncSession, tool_id: UUID, asked: ToolUpdate) -> StoredTool:
    """Change a stored tool. 400 for one that comes with the server."""
    refuse_built_in(here.runtime.kernel, tool_id)
    await tools.lock_names(session)
    tool = await tools.get(session, tool_id, lock=True)
    shape = None
    if tool.kind == ToolKind.source and (asked.json_schema or asked.source_code is not None):
        shape = await changed_shape(here, session, tool, asked)
    old = tool.name
    apply(tool, asked, asked.source_code if tool.kind == ToolKind.source else None, shape)
    await tools.changed(session, tool)
    if tool.name != old:
        await tools.rename(session, old, tool.name)
    return tool


async def changed_shape(here: Here, session: AsyncSession, tool: StoredTool, asked: ToolUpdate) -> Shape:
    """The tool's shape after the change: a schema may rename it, a source may not."""
    arguments = tool.extra.get("args_json_schema") if asked.args_json_schema is None else asked.args_json_schema
    source = tool.source if asked.source_code is None else asked.source_code
    shape = shape_of(asked, source, arguments)
    if asked.json_schema:
        if shape.name != tool.name and (
            shape.name in here.runtime.kernel.registry or await tools.find(session, shape.name) is not None
        ):
            raise bad_request(f"A tool with the name {shape.name!r} already exists.")
    elif shape.name != tool.name:
        raise bad_request(f"The tool's name {tool.name!r} does not match that of the function in its source, {shape.name!r}.")
    return shape


def shape_of(asked: ToolBody, source: str, arguments: Json | None = None) -> Shape:
    """The shape that the given schema tells, else the source. 400 where neither does."""
    if asked.json_schema:
        return given_shape(asked.json_schema)
    if not source.strip():
        raise bad_request("A custom tool needs source_code.")
    derived = derived_shape(source, arguments or asked.args_json_schema)
    return Shape(usable(derived.name), derived.description, derived.parameters)


def derived_shape(source: str, arguments: Json | None = None) -> SourceSchema:
    """The schema that the source tells; 400 where it tells none."""
    try:
        return derive_schema(source, arguments)
    except BadToolSource as error:
        raise bad_request(f"Failed to derive json schema: Schema generation failed: {error.evidence}") from error


def given_shape(schema: Json) -> Shape:
    """The shape of a schema in OpenAI's form: ``name``, ``description``, ``parameters``."""
    name, description, parameters = schema.get("name"), schema.get("description"), schema.get("parameters")
    if not isinstance(name, str):
        raise bad_request("The json_schema needs a name.")
    if parameters is not None and not isinstance(parameters, dict):
        raise bad_request("The parameters of the json_schema are no JSON object.")
    held: Json = {**NO_ARGUMENTS, **(parameters or {})}
    if held["type"] != "object" or not isinstance(held["properties"], dict):
        raise bad_request("The parameters of the json_schema are no schema of an object.")
    return Shape(usable(name), description if isinstance(description, str) else "", held, schema)


def usable(name: str) -> str:
    """The name, where a model can call it; else 400."""
    if not USABLE_NAME.fullmatch(name):
        raise bad_request(f"{name[:100]!r} is no name of a tool: use at most 64 letters, digits, hyphens and underscores.")
    return name


def apply(tool: StoredTool, asked: ToolBody, source: str | None, shape: Shape | None) -> None:
    """Write what was asked for into the record; what was not given stays."""
    extra = {**tool.extra, **asked.kept()}
    if shape is not None:
        tool.name, tool.description, tool.parameters = shape.name, shape.description, shape.parameters
        extra = {key: value for key, value in extra.items() if key != "json_schema"}
        if shape.given is not None:
            extra["json_schema"] = shape.given
    if source is not None:
        tool.source = source
    if asked.description is not None:
        tool.description = asked.description
    if asked.tags is not None:
        tool.tags = asked.tags
    if asked.return_char_limit is not None:
        tool.result_limit_chars = asked.return_char_limit
    if asked.default_requires_approval is not None:
        tool.needs_approval = asked.default_requires_approval
    tool.extra = extra


def built_in_name(kernel: Kernel, tool_id: UUID) -> str | None:
    """The name of the tool of that id, where it comes with the server."""
    return next((name for name in kernel.registry if built_in_id("tool", name) == tool_id), None)


def refuse_built_in(kernel: Kernel, tool_id: UUID) -> None:
    """400 for a tool that comes with the server."""
    name = built_in_name(kernel, tool_id)
    if name is not None:
        raise bad_request(
            f"The tool {name} ({wire_id('tool', tool_id)}) comes with the server and can be neither changed nor deleted. "
            "Make one of your own under another name."
        )
