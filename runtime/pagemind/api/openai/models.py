"""``/v1/models``: each agent is a model."""

from __future__ import annotations

from typing import Any

from pagemind.api.here import Caller
from pagemind.api.ids import wire_id
from pagemind.api.openai.route import openai_router
from pagemind.api.openai.talk import agent_of
from pagemind.records import Agent
from pagemind.store import agents

router = openai_router()


@router.get("/v1/models")
async def list_models(here: Caller) -> dict[str, Any]:
    """The agents: an agent's name, or its id where another has the same name."""
    async with here.transaction() as session:
        found = await agents.all(session)
    names = [agent.name for agent in found]
    listed = [model(agent, agent.name if names.count(agent.name) == 1 else wire_id("agent", agent.id)) for agent in found]
    return {"object": "list", "data": listed}


@router.get("/v1/models/{name:path}")
async def get_model(here: Caller, name: str) -> dict[str, Any]:
    """The agent of that name or id."""
    return model(await agent_of(here, name), name)


def model(agent: Agent, name: str) -> dict[str, Any]:
    """An agent as OpenAI's clients list models."""
    return {"id": name, "object": "model", "created": int(agent.created_at.timestamp()), "owned_by": "pagemind"}
