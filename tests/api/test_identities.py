"""Identities: who agents and blocks are about. Older clients have calls for them; these go over plain HTTP."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from letta_client import Letta, NotFoundError

from pagemind.testing.served import Served


@pytest.fixture
def http(server: Served) -> Generator[httpx.Client]:
    """Plain HTTP to the server."""
    with httpx.Client(base_url=f"{server.url}/v1", timeout=30) as opened:
        yield opened


def met(http: httpx.Client, **more: Any) -> dict[str, Any]:
    """A new identity."""
    answer = http.post("/identities/", json={"identifier_key": uuid4().hex, "name": "Bo", "identity_type": "user", **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_identity_is_made_found_changed_and_deleted(http: httpx.Client) -> None:
    properties = [{"key": "k", "value": "v", "type": "string"}]
    made = met(http, properties=properties)
    assert made["id"].startswith("identity-")
    assert (made["name"], made["identity_type"], made["properties"]) == ("Bo", "user", properties)
    assert (made["agent_ids"], made["block_ids"]) == ([], [])
    path = f"/identities/{made['id']}"
    assert http.get(path).json() == made
    assert http.patch(path, json={"name": "Bobby"}).json() == {**made, "name": "Bobby"}
    assert http.delete(path).status_code == 200
    for answer in (http.get(path), http.delete(path), http.patch(path, json={})):
        assert answer.status_code == 404
        assert made["id"] in answer.json()["detail"]


def test_a_key_is_an_identitys_own(http: httpx.Client) -> None:
    made = met(http)
    again = {"identifier_key": made["identifier_key"], "name": "Bob", "identity_type": "user"}
    assert http.post("/identities/", json=again).status_code == 409
    other = met(http)
    assert http.patch(f"/identities/{other['id']}", json=again).status_code == 409
    upserted = http.put("/identities/", json=again).json()
    assert (upserted["id"], upserted["name"]) == (made["id"], "Bob")
    fresh = http.put("/identities/", json={**again, "identifier_key": uuid4().hex, "identity_type": "org"}).json()
    assert (fresh["name"], fresh["identity_type"]) == ("Bob", "org")


def test_properties_are_replaced(http: httpx.Client) -> None:
    made = met(http, properties=[{"key": "old", "value": True, "type": "boolean"}])
    wanted = [{"key": "n", "value": 5, "type": "number"}, {"key": "j", "value": {"a": [1]}, "type": "json"}]
    assert http.put(f"/identities/{made['id']}/properties", json=wanted).json()["properties"] == wanted


@pytest.mark.parametrize(
    "wrong",
    [
        {"identity_type": "zzz"},
        {"identifier_key": ""},
        {"name": None},
        {"properties": [{"key": "k"}]},
        {"agent_ids": ["nope"]},
    ],
)
def test_what_cannot_be_is_refused(http: httpx.Client, wrong: dict[str, Any]) -> None:
    body = {"identifier_key": uuid4().hex, "name": "Bo", "identity_type": "user", **wrong}
    assert http.post("/identities/", json=body).status_code == 422


def test_identities_are_listed_by_filters_and_counted(http: httpx.Client) -> None:
    before = http.get("/identities/count").json()
    name = f"Name {uuid4().hex[:8]}"
    ids = [met(http, name=name)["id"] for _ in range(3)]
    assert http.get("/identities/count").json() == before + 3
    assert [each["id"] for each in http.get("/identities/", params={"name": name}).json()] == ids[::-1]
    page = http.get("/identities/", params={"name": name, "limit": 1, "after": ids[2]}).json()
    assert [each["id"] for each in page] == [ids[1]]
    assert http.get("/identities/", params={"name": name, "identity_type": "org"}).json() == []
    key = http.get(f"/identities/{ids[0]}").json()["identifier_key"]
    assert [each["id"] for each in http.get("/identities/", params={"identifier_key": key}).json()] == [ids[0]]


def test_an_agent_talks_to_identities(http: httpx.Client, client: Letta) -> None:
    one, two = met(http), met(http)
    agent = client.agents.create(model="openai/m", identity_ids=[one["id"]])
    assert agent.identity_ids == [one["id"]]
    assert agent.identities
    assert agent.identities[0].identifier_key == one["identifier_key"]
    client.agents.identities.attach(two["id"], agent_id=agent.id)
    found = client.agents.retrieve(agent.id, include=["agent.identities"])
    assert set(found.identity_ids or ()) == {one["id"], two["id"]}
    assert [each["id"] for each in http.get(f"/identities/{two['id']}/agents").json()] == [agent.id]
    assert [each.id for each in client.agents.list(identity_id=two["id"])] == [agent.id]
    assert [each.id for each in client.agents.list(identifier_keys=[one["identifier_key"]])] == [agent.id]
    client.agents.identities.detach(two["id"], agent_id=agent.id)
    assert list(client.agents.list(identity_id=two["id"])) == []
    assert client.agents.update(agent.id, identity_ids=[]).identity_ids == []
    with pytest.raises(NotFoundError):
        client.agents.identities.attach(f"identity-{uuid4()}", agent_id=agent.id)
    with pytest.raises(NotFoundError):
        client.agents.create(model="openai/m", identity_ids=[f"identity-{uuid4()}"])


def test_blocks_are_about_identities(http: httpx.Client, client: Letta) -> None:
    identity = met(http)
    block = client.blocks.create(label="about", value="x")
    assert http.patch(f"/blocks/{block.id}/identities/attach/{identity['id']}").json()["id"] == block.id
    assert [each["id"] for each in http.get(f"/identities/{identity['id']}/blocks").json()] == [block.id]
    assert [each.id for each in client.blocks.list(identity_id=identity["id"])] == [block.id]
    assert [each.id for each in client.blocks.list(identifier_keys=[identity["identifier_key"]])] == [block.id]
    assert http.patch(f"/blocks/{block.id}/identities/detach/{identity['id']}").status_code == 200
    assert http.get(f"/identities/{identity['id']}/blocks").json() == []
    linked = http.patch(f"/identities/{identity['id']}", json={"block_ids": [block.id], "agent_ids": []}).json()
    assert linked["block_ids"] == [block.id]


def test_a_forgotten_identity_leaves_its_agents(http: httpx.Client, client: Letta) -> None:
    identity = met(http)
    agent = client.agents.create(model="openai/m", identity_ids=[identity["id"]])
    http.delete(f"/identities/{identity['id']}")
    assert client.agents.retrieve(agent.id, include=["agent.identities"]).identities == []
