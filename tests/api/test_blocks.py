"""Blocks, as Letta's client makes and edits them, by themselves and in agents' windows."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest
from letta_client import APIStatusError, ConflictError, Letta, NotFoundError, UnprocessableEntityError
from letta_client.types import AgentState

from pagemind.testing.openai_server import calls, says
from pagemind.testing.served import Provider, Served


def agent_with(client: Letta, *blocks: tuple[str, str], **wanted: Any) -> AgentState:
    """A new agent with these labels and values."""
    return client.agents.create(
        model="openai/m", memory_blocks=[{"label": label, "value": value} for label, value in blocks], **wanted
    )


def test_a_block_is_made_found_changed_and_deleted(client: Letta) -> None:
    block = client.blocks.create(label="human", value="A human.")
    assert (block.label, block.value, block.limit, block.read_only) == ("human", "A human.", 100_000, False)
    assert block.description
    assert block.tags == []
    assert block.metadata == {}
    assert client.blocks.update(block.id, value="changed").value == "changed"
    assert client.blocks.retrieve(block.id).value == "changed"
    client.blocks.delete(block.id)
    ways: list[Any] = [client.blocks.retrieve, client.blocks.delete, client.blocks.update]
    for call in ways:
        with pytest.raises(NotFoundError) as missing:
            call(block.id)
        assert block.id in str(missing.value.body)


def test_every_field_of_a_block_is_given_back(client: Letta) -> None:
    given: dict[str, Any] = {
        "value": "v",
        "limit": 500,
        "description": "d",
        "metadata": {"a": 1},
        "read_only": True,
        "tags": ["t1", "t2"],
        "is_template": True,
        "template_name": "tn",
        "hidden": True,
        "project_id": "p",
    }
    block = client.blocks.create(label="notes", **given)
    found = client.blocks.retrieve(block.id).model_dump()
    assert {name: found[name] for name in given} == given
    changes: dict[str, Any] = {"label": "n2", "limit": 100, "description": "dd", "metadata": {"b": 2}, "tags": ["t3"]}
    changed = client.blocks.update(block.id, read_only=False, **changes).model_dump()
    assert {name: changed[name] for name in changes} == changes
    assert (changed["read_only"], changed["value"], changed["template_name"]) == (False, "v", "tn")


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": "no label"},
        {"label": "", "value": "x"},
        {"label": "x", "value": 5},
        {"label": "x", "value": "x" * 20, "limit": 10},
        {"label": "x", "value": "", "limit": 0},
        {"label": "x", "value": "", "limit": 2**70},
        {"label": "x", "value": "", "tags": "t"},
    ],
)
def test_what_cannot_be_is_refused_with_422(server: Served, wrong: dict[str, Any]) -> None:
    assert httpx.post(f"{server.url}/v1/blocks/", json=wrong).status_code == 422


def test_a_value_over_its_limit_is_refused_and_nothing_changes(client: Letta) -> None:
    block = client.blocks.create(label="short", value="12345", limit=10)
    wrongs: list[dict[str, Any]] = [{"value": "x" * 11}, {"limit": 3}, {"value": "x" * 21, "limit": 20}]
    for wrong in wrongs:
        with pytest.raises(UnprocessableEntityError) as refused:
            client.blocks.update(block.id, **wrong)
        assert "short" in str(refused.value.body)
    assert client.blocks.update(block.id, value="x" * 20, limit=20).limit == 20
    agent = client.agents.create(model="openai/m", block_ids=[block.id])
    with pytest.raises(UnprocessableEntityError):
        client.agents.blocks.update("short", agent_id=agent.id, value="x" * 21)
    assert client.blocks.retrieve(block.id).value == "x" * 20


def test_the_list_pages_oldest_first_and_filters(client: Letta) -> None:
    mark = uuid4().hex[:8]
    first = client.blocks.create(label=f"a-{mark}", value="apples 100%", tags=[mark, "red"], description="fruit")
    second = client.blocks.create(label=f"b-{mark}", value="pears", tags=[mark], is_template=True, template_name=mark)
    third = client.blocks.create(label=f"a-{mark}", value="plums", tags=[mark])

    def found(**wanted: Any) -> list[str]:
        return [block.id for block in client.blocks.list(**wanted)]

    assert found(tags=[mark], limit=2) == [first.id, second.id, third.id]
    assert found(tags=[mark], order="desc", limit=2) == [third.id, second.id, first.id]
    page = client.blocks.list(tags=[mark], limit=1, after=first.id)
    assert [block.id for block in page.items] == [second.id]
    assert found(label=f"a-{mark}") == [first.id, third.id]
    assert found(tags=[mark, "red"], match_all_tags=True) == [first.id]
    assert found(tags=[mark], templates_only=True) == [second.id]
    assert found(name=mark) == [second.id]
    assert found(tags=[mark], value_search="PPLE") == [first.id]
    assert found(tags=[mark], value_search="0%") == [first.id]
    assert found(label_search=f"B-{mark}") == [second.id]
    assert found(tags=[mark], description_search="fruit") == [first.id]
    agent = client.agents.create(model="openai/m", block_ids=[first.id])
    assert found(tags=[mark], connected_to_agents_count_gt=0) == [first.id]
    assert found(tags=[mark], connected_to_agents_count_eq=[0]) == [second.id, third.id]
    assert found(tags=[mark], connected_to_agents_count_lt=1) == [second.id, third.id]
    client.agents.delete(agent.id)
    assert found(tags=[mark], connected_to_agents_count_gt=0) == []
    with pytest.raises(NotFoundError):
        found(after=f"block-{uuid4()}")


def test_blocks_are_counted(client: Letta, server: Served) -> None:
    before = httpx.get(f"{server.url}/v1/blocks/count").json()
    client.blocks.create(label="x", value="")
    assert httpx.get(f"{server.url}/v1/blocks/count").json() == before + 1


def test_an_agents_blocks_are_found_and_changed_by_their_labels(client: Letta) -> None:
    agent = agent_with(client, ("human", "Bo"), ("persona", "Ada"), ("team/notes", "n"))
    assert [block.label for block in client.agents.blocks.list(agent.id)] == ["human", "persona", "team/notes"]
    assert client.agents.blocks.retrieve("human", agent_id=agent.id).value == "Bo"
    assert client.agents.blocks.retrieve("team/notes", agent_id=agent.id).value == "n"
    changed = client.agents.blocks.update("human", agent_id=agent.id, value="Cy", description="who")
    assert (changed.value, changed.description) == ("Cy", "who")
    with pytest.raises(NotFoundError):
        client.agents.blocks.retrieve("zzz", agent_id=agent.id)
    with pytest.raises(NotFoundError):
        client.agents.blocks.update("zzz", agent_id=agent.id, value="x")


def test_an_agents_blocks_page(client: Letta) -> None:
    agent = agent_with(client, ("a", "1"), ("b", "2"), ("c", "3"))
    labels = [block.label for block in client.agents.blocks.list(agent.id, limit=2)]
    assert labels == ["a", "b", "c"]
    assert [block.label for block in client.agents.blocks.list(agent.id, order="asc", limit=1)] == ["c", "b", "a"]
    third = client.agents.blocks.retrieve("c", agent_id=agent.id)
    before = client.agents.blocks.list(agent.id, before=third.id or "", limit=1)
    assert [block.label for block in before.items] == ["b"]


def test_a_block_is_attached_and_detached(client: Letta) -> None:
    agent = agent_with(client, ("human", "Bo"))
    notes = client.blocks.create(label="notes", value="n")
    state = client.agents.blocks.attach(notes.id, agent_id=agent.id)
    assert [block.label for block in state.blocks] == ["human", "notes"]
    assert [block.label for block in client.agents.blocks.attach(notes.id, agent_id=agent.id).blocks] == ["human", "notes"]
    assert [each.id for each in client.blocks.agents.list(notes.id)] == [agent.id]
    state = client.agents.blocks.detach(notes.id, agent_id=agent.id)
    assert [block.label for block in state.blocks] == ["human"]
    with pytest.raises(NotFoundError):
        client.agents.blocks.detach(notes.id, agent_id=agent.id)
    with pytest.raises(NotFoundError):
        client.agents.blocks.attach(f"block-{uuid4()}", agent_id=agent.id)
    with pytest.raises(ConflictError):
        client.agents.blocks.attach(client.blocks.create(label="human", value="").id, agent_id=agent.id)


def test_a_label_that_another_block_of_the_agent_has_is_refused(client: Letta) -> None:
    agent = agent_with(client, ("human", "Bo"), ("persona", "Ada"))
    with pytest.raises(ConflictError):
        client.agents.blocks.update("persona", agent_id=agent.id, label="human")
    changed = client.agents.blocks.update("persona", agent_id=agent.id, label="self")
    assert changed.label == "self"
    assert client.agents.blocks.retrieve("self", agent_id=agent.id).value == "Ada"


def test_a_deleted_block_leaves_every_agent(client: Letta) -> None:
    shared = client.blocks.create(label="team", value="Pandas")
    agents = [client.agents.create(model="openai/m", block_ids=[shared.id]) for _ in range(2)]
    client.blocks.delete(shared.id)
    for agent in agents:
        assert list(client.agents.blocks.list(agent.id)) == []
    assert shared.id not in [block.id for block in client.blocks.list(label="team", limit=1000)]


def test_an_edit_of_a_shared_block_is_seen_by_every_agent(client: Letta, provider: Provider) -> None:
    shared = client.blocks.create(label="team", value="The password is swordfish.")
    first = client.agents.create(model="openai/m", block_ids=[shared.id])
    second = client.agents.create(model="openai/m", block_ids=[shared.id])
    provider.will(says("Ok."))
    client.agents.messages.create(second.id, messages=[{"role": "user", "content": "Hello."}])
    provider.will(calls("memory_replace", label="team", old_string="swordfish", new_string="seahorse"), says("Done."))
    client.agents.messages.create(first.id, messages=[{"role": "user", "content": "Change it."}])
    assert client.blocks.retrieve(shared.id).value == "The password is seahorse."
    assert client.agents.blocks.retrieve("team", agent_id=second.id).value == "The password is seahorse."
    provider.will(says("seahorse"))
    client.agents.messages.create(second.id, messages=[{"role": "user", "content": "Which password?"}])
    assert "seahorse" in str(provider.asked[-1].body["messages"])


def test_an_edit_from_outside_is_in_the_agents_next_prompt(client: Letta, provider: Provider) -> None:
    agent = agent_with(client, ("human", "Name: Bo"))
    provider.will(says("Hello."))
    client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Hello."}])
    client.agents.blocks.update("human", agent_id=agent.id, value="Name: Cyrano")
    client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Who am I?"}])
    assert "Cyrano" in str(provider.asked[-1].body["messages"])


def test_a_read_only_block_is_kept_from_the_agent_and_open_to_people(client: Letta, provider: Provider) -> None:
    fixed = client.blocks.create(label="rules", value="Be kind.", read_only=True)
    agent = client.agents.create(model="openai/m", block_ids=[fixed.id])
    provider.will(calls("memory_insert", label="rules", new_string="Or not."), says("I could not."))
    client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Change your rules."}])
    assert client.blocks.retrieve(fixed.id).value == "Be kind."
    assert client.blocks.update(fixed.id, value="Be kinder.").value == "Be kinder."


def test_the_older_form_of_core_memory_has_the_blocks(client: Letta, server: Served) -> None:
    agent = agent_with(client, ("human", "Bo"))
    memory = httpx.get(f"{server.url}/v1/agents/{agent.id}/core-memory").json()
    assert set(memory) == {"agent_type", "git_enabled", "blocks", "file_blocks", "prompt_template"}
    assert [(block["label"], block["value"]) for block in memory["blocks"]] == [("human", "Bo")]


def test_malformed_ids_are_422_and_unknown_blocks_have_no_agents(client: Letta) -> None:
    with pytest.raises(UnprocessableEntityError):
        client.blocks.retrieve("zzz")
    with pytest.raises(APIStatusError) as missing:
        list(client.blocks.agents.list(f"block-{uuid4()}"))
    assert missing.value.status_code == 404


def test_tags_of_agents_are_listed_by_name(client: Letta) -> None:
    mark = uuid4().hex[:8]
    for tags in (["b", "a"], ["c", "a"]):
        client.agents.create(model="openai/m", tags=[f"{mark}-{tag}" for tag in tags])
    assert client.tags.list(query_text=mark) == [f"{mark}-a", f"{mark}-b", f"{mark}-c"]
    assert client.tags.list(query_text=mark, limit=1, after=f"{mark}-a") == [f"{mark}-b"]
    assert client.tags.list(query_text=mark, order="desc", limit=2) == [f"{mark}-c", f"{mark}-b"]
    assert client.tags.list(query_text=mark, before=f"{mark}-c", limit=1) == [f"{mark}-b"]


def test_a_block_that_comes_or_goes_is_in_or_out_of_the_next_prompt(client: Letta, provider: Provider) -> None:
    agent = agent_with(client, ("human", "Name: Bo"), ("secret", "The word is swordfish."))
    notes = client.blocks.create(label="notes", value="Buy paprika.")

    def prompt() -> str:
        client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Hello."}])
        return str(provider.asked[-1].body["messages"])

    provider.will(says("Hello."))
    assert "swordfish" in prompt()
    client.agents.blocks.attach(notes.id, agent_id=agent.id)
    assert "paprika" in prompt()
    secret = client.agents.blocks.retrieve("secret", agent_id=agent.id)
    client.agents.blocks.detach(secret.id or "", agent_id=agent.id)
    assert "swordfish" not in prompt()
    client.agents.update(agent.id, system="You speak in rhymes.")
    assert "You speak in rhymes." in prompt()


def test_recompiling_puts_the_blocks_as_they_are_into_the_prompts_beginning(client: Letta, provider: Provider) -> None:
    agent = agent_with(client, ("human", "Name: Bo"))
    provider.will(says("Hello."))
    client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Hello."}])
    client.agents.blocks.update("human", agent_id=agent.id, value="Name: Cyrano")
    assert "Cyrano" in client.agents.recompile(agent.id)
    client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Who am I?"}])
    told = str(provider.asked[-1].body["messages"])
    assert "Name: Bo" not in told
    assert told.count("Name: Cyrano") == 1
