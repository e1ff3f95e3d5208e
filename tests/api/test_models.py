"""Models and providers: what the server was started with, in Letta's shapes."""

from __future__ import annotations

import httpx
from letta_client import Letta

from pagemind.testing.openai_server import says
from pagemind.testing.served import WINDOW_TOKENS, Provider, Served


def test_the_reasoners_model_is_listed_with_every_key(client: Letta, server: Served) -> None:
    model, other = client.models.list()
    assert (model.handle, model.name, other.handle) == ("pagemind/m", "m", "pagemind/org/large")
    assert (model.max_context_window, model.context_window) == (WINDOW_TOKENS, WINDOW_TOKENS)
    raw, _ = httpx.get(f"{server.url}/v1/models/").json()
    old = {
        "model",
        "model_endpoint_type",
        "model_endpoint",
        "context_window",
        "provider_category",
        "put_inner_thoughts_in_kwargs",
    }
    assert old <= set(raw)
    assert raw["model_type"] == "llm"
    assert client.models.list(provider_category=["byok"]) == []
    assert len(client.models.list(provider_name="pagemind")) == 2


def test_the_embedder_is_listed(client: Letta) -> None:
    [model] = client.models.embeddings.list()
    assert model.handle == "pagemind/all-MiniLM-L6-v2"
    assert model.embedding_model == "all-MiniLM-L6-v2"


def test_an_agent_is_made_with_a_listed_handle_and_with_any_other(client: Letta, provider: Provider) -> None:
    provider.will(says("Hello."))
    model = client.models.list()[0]
    for handle in (model.handle or "", "letta/letta-free", "anthropic/claude-sonnet-4", "gpt-4o"):
        agent = client.agents.create(model=handle, embedding="letta/letta-free")
        assert (agent.model, agent.llm_config.handle) == (handle, handle)
        client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Hi."}])
    assert {request.body["model"] for request in provider.asked} == {"m"}


def test_the_provider_is_a_setting_of_the_server(server: Served) -> None:
    with httpx.Client(base_url=f"{server.url}/v1") as http:
        [provider] = http.get("/providers/").json()
        assert (provider["name"], provider["api_key"]) == ("pagemind", None)
        assert http.get(f"/providers/{provider['id']}").json() == provider
        assert http.get("/providers/", params={"after": provider["id"]}).json() == []
        assert http.post("/providers/check", json={"provider_type": "openai", "api_key": "k"}).status_code == 200
        made = http.post("/providers/", json={"name": "x", "provider_type": "openai", "api_key": "k"})
        assert made.status_code == 501
        assert "PAGEMIND_REASONER_URL" in made.json()["detail"]
        assert http.delete(f"/providers/{provider['id']}").status_code == 501


def test_another_model_of_the_reasoners_server_can_be_asked_for(client: Letta, provider: Provider) -> None:
    agent = client.agents.create(model="pagemind/org/large")
    provider.will(says("Hello."))
    client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Hi."}])
    assert provider.asked[-1].body["model"] == "org/large"
    client.agents.update(agent.id, model="openai/gpt-4o")
    client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Hi."}])
    assert provider.asked[-1].body["model"] == "m"
