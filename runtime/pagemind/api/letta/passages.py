"""``/v1/agents/{id}/archival-memory`` and ``/v1/passages``: what agents keep beyond their window."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from pagemind.api.here import Caller
from pagemind.api.ids import AgentId, ArchiveId, PassageId, wire_id
from pagemind.api.letta.passage_json import embedding_config, passage_json
from pagemind.api.pages import LIMIT_MOST, cursor
from pagemind.api.problems import not_found, unprocessable
from pagemind.api.values import Moment, Tag, Tags
from pagemind.engine import archival
from pagemind.engine.archival import Draft
from pagemind.engine.policy import search_policy
from pagemind.engine.recall import Search
from pagemind.errors import UnknownAgent
from pagemind.memory.telling import told
from pagemind.records import Agent, Filters, Json, PassageHit, Policy
from pagemind.store import agents, archives, passages
from pagemind.store.database import AsyncSession
from pagemind.store.keyset import Slice
from pagemind.store.passages import Within

router = APIRouter(tags=["passages"])

QUERY_LIMIT_CHARS = 10_000
TOP_K = 10
TextQuery = Annotated[str, Query(max_length=QUERY_LIMIT_CHARS)]


class PassageCreate(BaseModel):
    """A passage to store."""

    text: str
    tags: Tags | None = None
    created_at: Moment | None = None


class PassageSearch(BaseModel):
    """What to look for in the archives; the newest passages where there is no query."""

    query: Annotated[str, Field(max_length=QUERY_LIMIT_CHARS)] | None = None
    agent_id: AgentId | None = None
    archive_id: ArchiveId | None = None
    tags: Tags | None = None
    tag_match_mode: Literal["any", "all"] = "any"
    start_date: Moment | None = None
    end_date: Moment | None = None
    limit: int = Field(default=50, ge=1, le=100)


@router.post("/v1/agents/{agent_id}/archival-memory")
async def create_passage(here: Caller, agent_id: AgentId, asked: PassageCreate) -> list[dict[str, Any]]:
    """Store a passage in the archive that the agent writes to."""
    draft = Draft(asked.text, asked.tags or (), asked.created_at)
    try:
        kept = await archival.insert(here.runtime.kernel, agent_id, draft, here.author)
    except UnknownAgent:
        raise not_found("agent", wire_id("agent", agent_id)) from None
    here.runtime.index_soon()
    return [passage_json(kept.passage, embedding_config(here.runtime.kernel))]


@router.get("/v1/agents/{agent_id}/archival-memory")
async def list_passages(
    here: Caller,
    agent_id: AgentId,
    after: Annotated[str | None, Query(max_length=100)] = None,
    before: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int | None, Query(ge=0, le=LIMIT_MOST)] = 100,
    search: TextQuery | None = None,
    ascending: bool | None = True,
) -> list[dict[str, Any]]:
    """The passages of the agent's archives, the oldest first."""
    page = Slice(
        limit=LIMIT_MOST if limit is None else limit,
        before=cursor("passage", before),
        after=cursor("passage", after),
        descending=ascending is False,
    )
    async with here.transaction() as session:
        await known_agent(session, agent_id)
        found = await passages.page(session, page, agent_id=agent_id, words=search or "")
    config = embedding_config(here.runtime.kernel)
    return [passage_json(passage, config) for passage in found]


@router.get("/v1/agents/{agent_id}/archival-memory/search")
async def search_archival_memory(
    here: Caller,
    agent_id: AgentId,
    request: Request,
    query: TextQuery | None = None,
    tags: Annotated[list[Tag] | None, Query(max_length=200)] = None,
    tag_match_mode: Literal["any", "all"] = "any",
    top_k: Annotated[int | None, Query(ge=1)] = None,
    start_datetime: Moment | None = None,
    end_datetime: Moment | None = None,
) -> dict[str, Any]:
    """The agent's passages for the query by words and by meaning, the best first; none for an empty query."""
    if query is None and "query" not in request.query_params:
        raise unprocessable("The query is missing: give `query`.")
    async with here.transaction() as session:
        agent = await known_agent(session, agent_id)
    filters = Filters(tags=tuple(tags or ()), all_tags=tag_match_mode == "all", after=start_datetime, before=end_datetime)
    wanted = Search(query or "", filters, search_policy(agent), min(top_k or TOP_K, LIMIT_MOST))
    zone = zone_of(agent)
    results: list[Json] = [
        {
            "id": wire_id("passage", hit.id),
            "timestamp": local(hit.created_at, zone),
            "content": hit.text,
            "tags": list(hit.tags),
        }
        for hit in await archival.search(here.runtime.kernel, agent_id, Within.agent, wanted)
    ]
    return {"results": results, "count": len(results)}


@router.delete("/v1/agents/{agent_id}/archival-memory/{memory_id}")
async def delete_passage(here: Caller, agent_id: AgentId, memory_id: PassageId) -> dict[str, str]:
    """Take a passage out of the agent's sight."""
    async with here.transaction() as session:
        await known_agent(session, agent_id)
        await passages.remove(session, memory_id, agent_id=agent_id)
    return {"message": f"Memory id={wire_id('passage', memory_id)} successfully deleted"}


@router.post("/v1/passages/search")
async def search_passages(here: Caller, asked: PassageSearch) -> list[dict[str, Any]]:
    """Passages of one agent's archives, weighed as its definition says, of one archive or of all, the best first.

    Under ``metadata`` stands why each was found, and how far it is trusted.
    """
    within, owner, policy = Within.tenant, None, Policy()
    async with here.transaction() as session:
        if asked.agent_id is not None:
            agent = await known_agent(session, asked.agent_id)
            within, owner, policy = Within.agent, agent.id, search_policy(agent)
        if asked.archive_id is not None:
            within, owner = Within.archive, (await archives.get(session, asked.archive_id)).id
    filters = Filters(
        tags=tuple(asked.tags or ()), all_tags=asked.tag_match_mode == "all", after=asked.start_date, before=asked.end_date
    )
    wanted, kernel = Search(asked.query or "", filters, policy, asked.limit), here.runtime.kernel
    config = embedding_config(kernel)
    if not wanted.query:
        newest = await archival.newest(kernel, owner, within, wanted)
        return [{"passage": passage_json(passage, config), "score": 0.0, "metadata": {}} for passage in newest]
    hits = await archival.search(kernel, owner, within, wanted)
    return [
        {"passage": passage_json(archival.found_passage(kernel, hit), config), "score": hit.score, "metadata": why(hit)}
        for hit in hits
    ]


def why(hit: PassageHit) -> Json:
    """How it was found, and how far it is trusted."""
    about = told(hit)
    return {name: about[name] for name in ("scores", "boosts", "origin", "confidence", "review_by") if name in about}


async def known_agent(session: AsyncSession, agent_id: AgentId) -> Agent:
    """The agent; 404 with its id."""
    try:
        return await agents.get(session, agent_id)
    except UnknownAgent:
        raise not_found("agent", wire_id("agent", agent_id)) from None


def zone_of(agent: Agent) -> ZoneInfo:
    """Where the agent's clock is."""
    try:
        return ZoneInfo(str(agent.extra.get("timezone") or "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def local(moment: datetime, zone: ZoneInfo) -> str:
    """The time by that clock."""
    try:
        return moment.astimezone(zone).isoformat()
    except OverflowError:
        return moment.isoformat()
