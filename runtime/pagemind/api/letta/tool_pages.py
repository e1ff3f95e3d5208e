"""All tools in one list, those that are stored and those that come with the server, and pages of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from pagemind.api.here import Here
from pagemind.api.ids import built_in_id, record_id, wire_id
from pagemind.api.letta.tool_json import TOOL_TYPES, built_in_json, built_in_type, stored_json, stored_type
from pagemind.api.letta.tool_making import built_in_name
from pagemind.api.problems import bad_request, not_found
from pagemind.engine.kernel import Kernel
from pagemind.records import Json, StoredTool
from pagemind.store import tools
from pagemind.store.keyset import Slice
from pagemind.toolbox.registry import ToolSpec


@dataclass(frozen=True)
class Listed:
    """A tool in the list: what it is found by, and where the rest of it is."""

    id: UUID
    name: str
    type: str
    tags: Sequence[str]
    description: str
    source: StoredTool | ToolSpec

    @property
    def text(self) -> str:
        """What is searched of it."""
        return f"{self.name}: {self.description}"

    def json(self, kernel: Kernel) -> Json:
        """The tool on the wire."""
        if isinstance(self.source, StoredTool):
            return stored_json(kernel, self.source)
        return built_in_json(kernel, self.source)


@dataclass(frozen=True)
class Wanted:
    """Which tools of the list are asked for."""

    names: frozenset[str] | None
    ids: frozenset[UUID] | None
    part: str
    types: frozenset[str]
    not_types: frozenset[str]
    letta_only: bool

    def fits(self, tool: Listed) -> bool:
        """Whether the tool is one of them."""
        return (
            (self.names is None or tool.name in self.names)
            and (self.ids is None or tool.id in self.ids)
            and self.part in tool.name.lower()
            and (not self.types or tool.type in self.types)
            and tool.type not in self.not_types
            and (not self.letta_only or tool.type.startswith("letta_"))
        )


def separate(texts: Sequence[str] | None) -> list[str]:
    """A parameter that is given several times, or once with commas."""
    return [part.strip() for text in texts or () for part in text.split(",") if part.strip()]


def checked_types(texts: Sequence[str] | None) -> frozenset[str]:
    """The types; 400 for one that there is not."""
    types = frozenset(separate(texts))
    for unknown in sorted(types.difference(TOOL_TYPES)):
        raise bad_request(f"Invalid tool_type {unknown[:100]!r}. Must be one of: {', '.join(TOOL_TYPES)}")
    return types


def as_ids(texts: Sequence[str] | None) -> frozenset[UUID] | None:
    """The ids, without those that can be none; None where none are asked for."""
    given = separate(texts)
    found: set[UUID] = set()
    for text in given:
        try:
            found.add(record_id("tool", text))
        except ValueError:
            continue
    return frozenset(found) if given else None


def stored(tool: StoredTool) -> Listed:
    """A stored tool in the list."""
    return Listed(tool.id, tool.name, stored_type(tool), tool.tags, tool.description, tool)


def built_in(kernel: Kernel, spec: ToolSpec) -> Listed:
    """A tool that comes with the server in the list."""
    kind = built_in_type(kernel, spec)
    return Listed(built_in_id("tool", spec.name), spec.name, kind, [kind], spec.schema.description, spec)


def built_in_tools(kernel: Kernel) -> list[Listed]:
    """Those that come with the server, in their order."""
    return [built_in(kernel, spec) for spec in kernel.registry.tools.values()]


async def every_tool(here: Here) -> list[Listed]:
    """All tools, the newest first; those that come with the server are the oldest."""
    async with here.transaction() as session:
        rows = await tools.every(session)
    kernel = here.runtime.kernel
    return [stored(tool) for tool in rows if tool.name not in kernel.registry] + built_in_tools(kernel)


async def find_listed(here: Here, tool_id: UUID) -> Listed:
    """The tool of that id; UnknownRecord."""
    kernel = here.runtime.kernel
    name = built_in_name(kernel, tool_id)
    if name is not None:
        return built_in(kernel, kernel.registry[name])
    async with here.transaction() as session:
        return stored(await tools.get(session, tool_id))


def page_of(listed: Sequence[Listed], page: Slice, fits: Callable[[Listed], bool]) -> list[Listed]:
    """The page of those that fit; 404 for a cursor that is none of the list's. ``listed`` has the newest first."""
    ordered = list(listed) if page.descending else list(reversed(listed))
    start = 0 if page.after is None else place(ordered, page.after) + 1
    end = len(ordered) if page.before is None else place(ordered, page.before)
    fitting = [each for each in ordered[start:end] if fits(each)]
    backwards = page.before is not None and page.after is None
    return (fitting[-page.limit :] if page.limit else []) if backwards else fitting[: page.limit]


def place(listed: Sequence[Listed], tool_id: UUID) -> int:
    """Where the tool is in the list."""
    for number, each in enumerate(listed):
        if each.id == tool_id:
            return number
    raise not_found("tool", wire_id("tool", tool_id))
