"""``/v1/tools``: the tools that there are, made from source, searched and tried."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from pagemind.api.here import Caller
from pagemind.api.ids import ToolId
from pagemind.api.letta.tool_bodies import SourceCode, ToolCreate, ToolRunFromSource, ToolSearch, ToolUpdate
from pagemind.api.letta.tool_json import built_in_json, stored_json
from pagemind.api.letta.tool_making import change_tool, derived_shape, put_tool, refuse_built_in
from pagemind.api.letta.tool_pages import Wanted, as_ids, checked_types, every_tool, find_listed, page_of
from pagemind.api.letta.tool_runs import return_message, run_source
from pagemind.api.pages import paged
from pagemind.engine.tool_search import Candidate, Found, search_tools
from pagemind.store import tools
from pagemind.store.keyset import Slice

router = APIRouter(tags=["tools"])

Texts = Annotated[list[str] | None, Query(max_length=1000)]
Page = Annotated[Slice, Depends(paged("tool", limit=50))]


@router.post("/v1/tools")
async def create_tool(here: Caller, asked: ToolCreate) -> dict[str, Any]:
    """Make a tool from source; one of the same name is changed in its place."""
    return stored_json(here.runtime.kernel, await put_tool(here, asked))


@router.put("/v1/tools")
async def upsert_tool(here: Caller, asked: ToolCreate) -> dict[str, Any]:
    """Make a tool from source, or change the one of that name."""
    return stored_json(here.runtime.kernel, await put_tool(here, asked))


@router.get("/v1/tools")
async def list_tools(
    here: Caller,
    page: Page,
    name: Annotated[str | None, Query(max_length=500)] = None,
    names: Texts = None,
    tool_ids: Texts = None,
    search: Annotated[str | None, Query(max_length=500)] = None,
    tool_types: Texts = None,
    exclude_tool_types: Texts = None,
    return_only_letta_tools: bool | None = None,
) -> list[dict[str, Any]]:
    """The tools, the newest first, those that come with the server last; of some names, ids or types."""
    wanted = Wanted(
        names=frozenset([*(names or ()), *([name] if name else ())]) if name or names else None,
        ids=as_ids(tool_ids),
        part=(search or "").lower(),
        types=checked_types(tool_types),
        not_types=checked_types(exclude_tool_types),
        letta_only=bool(return_only_letta_tools),
    )
    return [each.json(here.runtime.kernel) for each in page_of(await every_tool(here), page, wanted.fits)]


@router.get("/v1/tools/count")
async def count_tools(here: Caller) -> int:
    """How many tools there are."""
    async with here.transaction() as session:
        return await tools.count(session) + len(here.runtime.kernel.registry)


@router.post("/v1/tools/search")
async def search(here: Caller, asked: ToolSearch) -> list[dict[str, Any]]:
    """The tools that fit the query best, by words, by meaning or both; without a query the newest."""
    types = checked_types(asked.tool_types)
    listed = [
        each
        for each in await every_tool(here)
        if (not types or each.type in types) and (not asked.tags or set(asked.tags) & set(each.tags))
    ]
    kernel = here.runtime.kernel
    if not (asked.query or "").strip():
        found = [Found(place, 0.0, None, None) for place in range(min(asked.limit, len(listed)))]
    else:
        candidates = [Candidate(each.name, each.text) for each in listed]
        found = await search_tools(kernel, asked.query or "", candidates, mode=asked.search_mode, limit=asked.limit)
    return [
        {
            "tool": listed[each.place].json(kernel),
            "embedded_text": listed[each.place].text,
            "fts_rank": each.word_rank,
            "vector_rank": each.vector_rank,
            "combined_score": each.score,
        }
        for each in found
    ]


@router.post("/v1/tools/add-base-tools")
async def add_base_tools(here: Caller) -> list[dict[str, Any]]:
    """The tools that come with the server: they are always there."""
    return [built_in_json(here.runtime.kernel, spec) for spec in here.runtime.kernel.registry.tools.values()]


@router.post("/v1/tools/generate-schema")
async def generate_schema(here: Caller, asked: SourceCode) -> dict[str, Any]:
    """The schema that a source tells."""
    shape = derived_shape(asked.code)
    return {"name": shape.name, "description": shape.description, "parameters": shape.parameters}


@router.post("/v1/tools/run")
async def run_tool_from_source(here: Caller, asked: ToolRunFromSource) -> dict[str, Any]:
    """Run a source once, without keeping it."""
    if not asked.json_schema:
        derived_shape(asked.source_code, asked.args_json_schema)
    return return_message(asked.name, await run_source(here, asked))


@router.get("/v1/tools/{tool_id}")
async def retrieve_tool(here: Caller, tool_id: ToolId) -> dict[str, Any]:
    """One tool."""
    return (await find_listed(here, tool_id)).json(here.runtime.kernel)


@router.patch("/v1/tools/{tool_id}")
async def update_tool(here: Caller, tool_id: ToolId, asked: ToolUpdate) -> dict[str, Any]:
    """Change a tool."""
    async with here.transaction() as session:
        tool = await change_tool(here, session, tool_id, asked)
    return stored_json(here.runtime.kernel, tool)


@router.delete("/v1/tools/{tool_id}")
async def delete_tool(here: Caller, tool_id: ToolId) -> None:
    """Delete a tool, and take it from the agents that have it."""
    refuse_built_in(here.runtime.kernel, tool_id)
    async with here.transaction() as session:
        await tools.remove(session, [await tools.get(session, tool_id, lock=True)])
