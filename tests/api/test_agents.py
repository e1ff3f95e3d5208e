"""Agents, as Letta's client makes, finds, changes and deletes them."""

from __future__ import annotations

from letta_client import Letta


def test_an_agent_is_made_with_its_blocks_and_found_again(client: Letta) -> None:
    made = client.agents.create(
        name="Ada",
        model="openai/gpt-4o-mini",
        embedding="openai/text-embedding-3-small",
        memory_blocks=[{"label": "human", "value": "Name: Bo"}, {"label": "persona", "value": "I am Ada."}],
        tags=["alpha"],
    )
    assert made.id.startswith("agent-")
    assert [block.label for block in made.blocks] == ["human", "persona"]
    assert sorted(tool.name or "" for tool in made.tools) == ["conversation_search", "memory_insert", "memory_replace"]
    found = client.agents.retrieve(made.id, include=["agent.blocks", "agent.tags"])
    assert (found.name, found.tags, found.model) == ("Ada", ["alpha"], "openai/gpt-4o-mini")
    assert [block.value for block in found.blocks] == ["Name: Bo", "I am Ada."]
    client.agents.delete(made.id)
    assert made.id not in [agent.id for agent in client.agents.list()]
