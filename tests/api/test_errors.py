"""Failures, as clients read them: a status, a JSON body, and whether to try again."""

from __future__ import annotations

import uuid

import httpx
import pytest
from letta_client import APIStatusError, InternalServerError, Letta, NotFoundError, UnprocessableEntityError

from pagemind.testing.served import Served


def unknown(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4()}"


def test_an_unknown_id_is_404_with_the_id(client: Letta) -> None:
    for prefix, ask in (
        ("agent", client.agents.retrieve),
        ("block", client.blocks.retrieve),
        ("run", client.runs.retrieve),
        ("tool", client.tools.retrieve),
        ("archive", client.archives.retrieve),
        ("conv", client.conversations.retrieve),
        ("source", client.folders.retrieve),
        ("step", client.steps.retrieve),
        ("mcp_server", client.mcp_servers.retrieve),
    ):
        wire_id = unknown(prefix)
        with pytest.raises(NotFoundError) as failed:
            ask(wire_id)
        assert wire_id in str(failed.value), prefix


def test_a_malformed_id_is_422(client: Letta) -> None:
    for wire_id in ("nonsense", "agent-1", f"block-{uuid.uuid4()}", f"agent-{uuid.uuid4().hex}", "agent-" + "x" * 5000):
        with pytest.raises(UnprocessableEntityError):
            client.agents.retrieve(wire_id)


def test_a_refused_form_names_the_field_and_keeps_what_was_sent_to_itself(server: Served) -> None:
    answer = httpx.post(f"{server.url}/v1/blocks/", json={"label": "human", "value": {"secret": "hidden"}})
    assert answer.status_code == 422
    assert answer.json()["trace_id"] == ""
    assert isinstance(answer.json()["detail"], str)
    assert "'value'" in answer.json()["detail"]
    assert "hidden" not in answer.text


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"nonsense", b'{"label": "a", "value": "b"'])
def test_what_is_no_json_is_422(server: Served, body: bytes) -> None:
    answer = httpx.post(f"{server.url}/v1/blocks/", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["trace_id"]) == (422, "")


def test_an_unknown_path_is_404_and_another_method_405(server: Served) -> None:
    nothing = httpx.get(f"{server.url}/v1/nothing")
    assert (nothing.status_code, nothing.json()) == (404, {"detail": "Not Found"})
    other = httpx.delete(f"{server.url}/v1/health")
    assert (other.status_code, other.json()) == (405, {"detail": "Method Not Allowed"})
    assert "GET" in other.headers["allow"]


def test_unknown_fields_are_ignored(server: Served) -> None:
    body = {"label": "human", "value": "x", "nonsense": {"deep": [1, 2]}}
    assert httpx.post(f"{server.url}/v1/blocks/", json=body).status_code == 200


def test_a_nul_in_a_text_is_left_out_and_half_a_character_replaced(server: Served) -> None:
    made = httpx.post(
        f"{server.url}/v1/blocks/",
        content=b'{"label": "human", "value": "a\\u0000b \\ud83d\\ude00 \\ud83d c \\\\u0000", '
        b'"metadata": {"k\\u0000": ["\\udc00"]}}',
        headers={"content-type": "application/json"},
    )
    assert made.status_code == 200
    assert made.json()["value"] == "ab \U0001f600 \ufffd c \\u0000"


def test_a_conflict_is_not_repeated_by_the_sdk(server: Served) -> None:
    with Letta(base_url=server.url, max_retries=2) as patient:
        agent = patient.agents.create(name="conflicted", model="openai-proxy/m")
        block = patient.blocks.create(label="human", value="x")
        patient.agents.blocks.attach(block.id, agent_id=agent.id)
        again = httpx.patch(f"{server.url}/v1/agents/{agent.id}/core-memory/blocks/attach/{block.id}")
        assert again.status_code in (200, 409)
        if again.status_code == 409:
            assert again.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/agents/agent-x/schedule"), ("GET", "/v1/agents/agent-x/schedule"),
        ("DELETE", "/v1/agents/agent-x/schedule/y"), ("GET", "/v1/agents/agent-x/schedule/y"),
        ("POST", "/v1/templates"), ("PATCH", "/v1/templates/x"), ("DELETE", "/v1/templates/x"),
        ("POST", "/v1/templates/x/rollback"), ("POST", "/v1/templates/x/save"), ("POST", "/v1/templates/x:latest/agents"),
        ("GET", "/v1/environments"), ("GET", "/v1/environments/x"), ("POST", "/v1/environments/x/messages"),
        ("POST", "/v1/client-side-access-tokens"), ("GET", "/v1/client-side-access-tokens"),
        ("DELETE", "/v1/client-side-access-tokens/x"), ("GET", "/v1/runs/run-x/trace"),
        ("GET", "/v1/groups/"), ("POST", "/v1/groups/group-x/messages"), ("GET", "/v1/messages/batches"),
        ("POST", "/v1/voice-beta/agent-x/chat/completions"), ("POST", "/v1/sandbox-config/local"), ("GET", "/v1/jobs/active"),
    ],
)  # fmt: skip
def test_what_there_is_not_is_501_with_what_to_use_instead(server: Served, method: str, path: str) -> None:
    answer = httpx.request(method, server.url + path)
    assert answer.status_code == 501
    assert len(answer.json()["detail"].split(". ")) >= 2
    assert answer.headers["x-should-retry"] == "false"


def test_the_sdk_reads_a_refusal_once(client: Letta) -> None:
    with pytest.raises(InternalServerError, match="pagemind keys create") as failed:
        client.access_tokens.list()
    assert failed.value.status_code == 501


def test_a_cursor_that_is_none_of_the_lists_ends_the_paging(client: Letta) -> None:
    with pytest.raises(APIStatusError) as failed:
        list(client.agents.list(after=unknown("agent")))
    assert failed.value.status_code == 404


@pytest.mark.parametrize("query", ["limit=-1", "limit=x", "limit=99999999999999999999", "order=sideways"])
def test_a_bad_page_is_422(server: Served, query: str) -> None:
    assert httpx.get(f"{server.url}/v1/agents/?{query}").status_code == 422
