"""``/v1/agents``: made, found, changed, deleted, listed, counted."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from pagemind.api.here import Caller
from pagemind.api.ids import AgentId, IdentityId, wire_id
from pagemind.api.letta.agent_bodies import AgentCreate, AgentUpdate
from pagemind.api.letta.agent_making import changed, made, new_agent, opening
from pagemind.api.letta.agent_state import Parts, agent_state, agent_states, known_agent, parts_asked
from pagemind.api.letta.stops import our_stops
from pagemind.api.pages import paged
from pagemind.api.problems import not_found
from pagemind.engine import agents as making
from pagemind.errors import UnknownAgent
from pagemind.store import agent_lists
from pagemind.store.agent_lists import AgentFilter, AgentOrder
from pagemind.store.keyset import Slice

router = APIRouter(tags=["agents"])

Asked = Annotated[Parts, Depends(parts_asked)]
Word = Annotated[str, Query(max_length=500)]
Some = Annotated[list[Word] | None, Query(max_length=100)]


@router.post("/v1/agents")
async def create_agent(here: Caller, asked: AgentCreate) -> dict[str, Any]:
    """Make an agent: its blocks, links and main conversation with it, or nothing at all.

    ``enable_sleeptime`` is kept and changes nothing: here an agent keeps its memory itself, in the background where nobody
    waits, and there is no second agent beside it.
    """
    agent = new_agent(here, asked)
    first = await opening(here, agent, asked)
    async with here.transaction() as session:
        await made(here, session, asked, agent, first)
        return await agent_state(here, session, agent)


@router.get("/v1/agents/count")
async def count_agents(here: Caller, show_hidden_agents: bool | None = False) -> int:
    """How many agents there are, hidden ones only where they are asked for."""
    async with here.transaction() as session:
        return await agent_lists.count(session, AgentFilter(hidden=bool(show_hidden_agents)))


def agent_filter(
    name: Word | None = None,
    tags: Some = None,
    match_all_tags: bool = False,
    query_text: Word | None = None,
    identity_id: IdentityId | None = None,
    identifier_keys: Some = None,
    last_stop_reason: Word | None = None,
    template_id: Word | None = None,
    base_template_id: Word | None = None,
    order_by: AgentOrder | None = None,
    sort_by: Word | None = None,
    show_hidden_agents: bool | None = False,
) -> AgentFilter:
    """Which agents to list: hidden ones only where they are asked for. No agent came from a template: there are none."""
    by = order_by or (AgentOrder(sort_by) if sort_by in set(AgentOrder) else AgentOrder.created_at)
    return AgentFilter(
        name=name,
        text=query_text,
        tags=tags or (),
        all_tags=match_all_tags,
        identity_id=identity_id,
        identifiers=identifier_keys or (),
        stop_reasons=None if last_stop_reason is None else our_stops(last_stop_reason),
        hidden=bool(show_hidden_agents),
        nothing=bool(template_id or base_template_id),
        order=by,
    )


def agent_page(page: Annotated[Slice, Depends(paged("agent", limit=50))], ascending: bool | None = None) -> Slice:
    """The page asked for; ``ascending`` is the older word for the order."""
    return page if ascending is None or not ascending else Slice(page.limit, page.before, page.after, descending=False)


@router.get("/v1/agents")
async def list_agents(
    here: Caller,
    wanted: Annotated[AgentFilter, Depends(agent_filter)],
    page: Annotated[Slice, Depends(agent_page)],
    parts: Asked,
) -> list[dict[str, Any]]:
    """A page of the agents, the newest first."""
    async with here.transaction() as session:
        try:
            found = await agent_lists.page(session, wanted, page)
        except UnknownAgent:
            cursor = page.after or page.before
            raise not_found("agent", wire_id("agent", cursor or UUID(int=0))) from None
        return await agent_states(here, session, found, parts)


@router.get("/v1/agents/{agent_id}")
async def retrieve_agent(here: Caller, agent_id: AgentId, parts: Asked) -> dict[str, Any]:
    """One agent."""
    async with here.transaction() as session:
        return await agent_state(here, session, await known_agent(session, agent_id), parts)


@router.patch("/v1/agents/{agent_id}")
async def update_agent(here: Caller, agent_id: AgentId, asked: AgentUpdate) -> dict[str, Any]:
    """Change an agent: what is not given stays, a list that is given takes the place of the old one."""
    async with here.transaction() as session:
        agent = await changed(here, session, await known_agent(session, agent_id, lock=True), asked)
        return await agent_state(here, session, agent)


@router.delete("/v1/agents/{agent_id}")
async def delete_agent(here: Caller, agent_id: AgentId) -> dict[str, str]:
    """Delete an agent and cancel its runs. Blocks and archives that it shared stay."""
    async with here.transaction() as session:
        await known_agent(session, agent_id, lock=True)
        going = await making.remove(session, agent_id)
    for run_id in going:
        await here.runtime.cancel(run_id)
    return {"message": f"Agent id={wire_id('agent', agent_id)} successfully deleted"}
