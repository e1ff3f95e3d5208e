"""Two tenants of one server never see each other's anything, through the SDK that people have."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import httpx
import pytest
from letta_client import APIStatusError, Letta

from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.openai_server import says
from pagemind.testing.served import Served, served
from pagemind.testing.shell import Shell


@dataclass(frozen=True)
class Two:
    """A server with the clients of two tenants and the operator's."""

    server: Served
    ada: Letta
    bob: Letta
    operator: Letta
    shell: Shell


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Generator[Two]:
    home = tmp_path_factory.mktemp("tenants")
    database = EmbeddedPostgres(home)
    database.join()
    shell = Shell(home, tmp_path_factory.mktemp("empty"))
    made = [shell.json("keys", "create", *words, "--json")["key"] for words in (("--tenant", "ada"), ("--tenant", "bob"), ())]
    with served(shell) as running:
        ada, bob, operator = [Letta(base_url=running.url, api_key=key, max_retries=0, timeout=30) for key in made]
        yield Two(running, ada, bob, operator, shell)
    database.leave()


def make_agent(client: Letta, name: str) -> str:
    return client.agents.create(
        name=name, model="openai-proxy/m", memory_blocks=[{"label": "human", "value": f"of {name}"}], tags=[f"tag-{name}"]
    ).id


def status_of(failed: pytest.ExceptionInfo[APIStatusError]) -> int:
    return failed.value.status_code


def test_agents_blocks_and_tags_are_the_tenants_own(two: Two) -> None:
    agent = make_agent(two.ada, "hers")
    assert agent in [each.id for each in two.ada.agents.list()]
    for other in (two.bob, two.operator):
        assert agent not in [each.id for each in other.agents.list()]
        assert "of hers" not in [block.value for block in other.blocks.list()]
        assert "tag-hers" not in other.tags.list()
        with pytest.raises(APIStatusError) as failed:
            other.agents.retrieve(agent)
        assert status_of(failed) == 404
        with pytest.raises(APIStatusError) as failed:
            other.agents.delete(agent)
        assert status_of(failed) == 404
        with pytest.raises(APIStatusError) as failed:
            other.agents.update(agent, name="mine")
        assert status_of(failed) == 404
    assert two.ada.agents.retrieve(agent).name == "hers"


def test_a_block_of_another_tenant_can_neither_be_read_changed_nor_attached(two: Two) -> None:
    block = two.ada.blocks.create(label="secret", value="the door code is 1234")
    agent = make_agent(two.bob, "thief")
    for attempt in (
        lambda: two.bob.blocks.retrieve(block.id),
        lambda: two.bob.blocks.update(block.id, value="mine"),
        lambda: two.bob.blocks.delete(block.id),
        lambda: two.bob.agents.blocks.attach(block.id, agent_id=agent),
    ):
        with pytest.raises(APIStatusError) as failed:
            attempt()
        assert status_of(failed) == 404
    assert two.ada.blocks.retrieve(block.id).value == "the door code is 1234"


def test_each_tenants_messages_are_answered_by_its_own_runtime(two: Two) -> None:
    two.server.provider.will(says("Noted."))
    agents = {client: make_agent(client, "twin") for client in (two.ada, two.bob, two.operator)}
    for number, (client, agent) in enumerate(agents.items()):
        reply = client.agents.messages.create(agent, messages=[{"role": "user", "content": f"I am number {number}."}])
        assert [message.message_type for message in reply.messages] == ["assistant_message"]
    for client, agent in agents.items():
        for other in agents.values():
            if other == agent:
                assert len(list(client.agents.messages.list(other))) >= 2
                continue
            with pytest.raises(APIStatusError) as failed:
                client.agents.messages.create(other, messages=[{"role": "user", "content": "Hi."}])
            assert status_of(failed) == 404
            with pytest.raises(APIStatusError) as failed:
                client.agents.messages.list(other)
            assert status_of(failed) == 404
    for asked in two.server.provider.asked:
        assert sum(f"number {number}" in str(asked.body) for number in range(3)) == 1


def test_a_run_of_another_tenant_is_not_there(two: Two) -> None:
    two.server.provider.will(says("Noted."))
    agent = make_agent(two.ada, "runner")
    run = two.ada.agents.messages.create_async(agent, messages=[{"role": "user", "content": "Go."}])
    assert two.ada.runs.retrieve(run.id).id == run.id
    assert run.id not in [each.id for each in two.bob.runs.list()]
    with pytest.raises(APIStatusError) as failed:
        two.bob.runs.retrieve(run.id)
    assert status_of(failed) == 404
    with pytest.raises(APIStatusError) as failed:
        two.bob.runs.messages.list(run.id)
    assert status_of(failed) == 404


def test_passages_are_found_by_their_own_tenant_alone(two: Two) -> None:
    hers, his = make_agent(two.ada, "archivist"), make_agent(two.bob, "archivist")
    two.ada.agents.passages.create(hers, text="The cabin has a blue door.")
    assert "blue door" in str(two.ada.agents.passages.search(hers, query="blue door"))
    assert "blue door" not in str(two.bob.agents.passages.search(his, query="blue door"))
    assert "blue door" not in str(two.bob.passages.search(query="blue door"))
    with pytest.raises(APIStatusError) as failed:
        two.bob.agents.passages.list(hers)
    assert status_of(failed) == 404


def test_openais_endpoints_list_the_tenants_own_agents(two: Two) -> None:
    make_agent(two.ada, "only-hers")

    def models(client: Letta) -> str:
        return httpx.get(f"{two.server.url}/v1/models", headers={"Authorization": f"Bearer {client.api_key}"}).text

    assert "only-hers" in models(two.ada)
    assert "only-hers" not in models(two.bob) + models(two.operator)


def test_no_header_chooses_a_tenant(two: Two) -> None:
    agent = make_agent(two.ada, "unreachable")
    headers = {"Authorization": f"Bearer {two.bob.api_key}", "user_id": "user-00000000-0000-4000-8000-000000000000"}
    headers |= {"X-Project": "ada", "X-Tenant": "ada", "X-Organization-Id": "org-00000000-0000-4000-8000-000000000000"}
    assert httpx.get(f"{two.server.url}/v1/agents/{agent}", headers=headers).status_code == 404


def test_what_a_tenant_may_do_is_bounded_by_itself_not_by_another(two: Two) -> None:
    found = two.shell.json("keys", "list", "--json")
    assert sorted(str(key["tenant"]) for key in found) == ["None", "ada", "bob"]
    assert len({key["tenant_id"] for key in found}) == 3
    again = two.shell.json("keys", "create", "--tenant", "ada", "--scope", "read", "--json")
    assert again["tenant_id"] in {key["tenant_id"] for key in found if key["tenant"] == "ada"}
