"""Searches over the wire with queries and filters that are empty, too much or too strange: 200 or a clear 4xx, never a 500, and
never another tenant's row."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from letta_client import APIStatusError, Letta

from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.openai_server import says
from pagemind.testing.served import Served, served
from pagemind.testing.shell import Shell

QUERIES = {
    "nothing": "",
    "blanks": " \n\t",
    "NUL": "\x00",
    "one letter": "a",
    "emoji": "🛶👩‍👩‍👧‍👦🇵🇹",
    "stop words": "the of and is it to be or not",
    "Chinese": "护照在哪里？",
    "Arabic": "أين جواز السفر",
    "German": "Wo liegt der Schlüssel?",
    "operators": "boat & | ! <-> :* ( ) ' \\ \" %_",
    "SQL": "'; DROP TABLE passages; --",
    "dates that do not exist": "on 31 February 2023, three hundred thousand sessions ago",
    "10 kB of different words": " ".join(f"w{number}" for number in range(1_500)),
    "100 kB": "boat " * 20_000,
}
PATIENCE_SECONDS = 90
"""The first search waits until the embedder is loaded."""
SEARCHES = ("/v1/passages/search", "/v1/messages/search", "/v1/agents/messages/search", "/v1/tools/search")
TEXT = "The boat of ada is called Petra."
THEIRS = "The boat of bob is called Olga."


@dataclass(frozen=True)
class Two:
    """A server with the clients of two tenants, who have each stored and said something; the first one's agent and key."""

    server: Served
    ada: Letta
    bob: Letta
    agent_id: str
    key: str

    def http(self) -> httpx.Client:
        """Plain HTTP as the first tenant."""
        return httpx.Client(base_url=self.server.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Generator[Two]:
    home = tmp_path_factory.mktemp("searches")
    database = EmbeddedPostgres(home)
    database.join()
    shell = Shell(home, tmp_path_factory.mktemp("empty"))
    keys = [shell.json("keys", "create", "--tenant", name, "--json")["key"] for name in ("ada", "bob")]
    with served(shell) as running:
        clients = [Letta(base_url=running.url, api_key=key, max_retries=0, timeout=PATIENCE_SECONDS) for key in keys]
        agents = [talked_to(running, client, text) for client, text in zip(clients, (TEXT, THEIRS), strict=True)]
        yield Two(running, clients[0], clients[1], agents[0], keys[0])
        for client in clients:
            client.close()
    database.leave()


def talked_to(server: Served, client: Letta, text: str) -> str:
    """An agent that was told the text, and has it in its archive."""
    agent_id = client.agents.create(name="searched", model="openai-proxy/m").id
    client.agents.passages.create(agent_id, text=text, tags=["boat", "it's"])
    server.provider.will(says("Noted."))
    client.agents.messages.create(agent_id, messages=[{"role": "user", "content": text}])
    return agent_id


def clear(answer: httpx.Response) -> Any:
    """The answer's value; it is 200, or says what is wrong with a 4xx, and holds nothing of the other tenant."""
    assert answer.status_code == 200 or 400 <= answer.status_code < 500, answer.text[:500]
    assert "Olga" not in answer.text
    if answer.status_code != 200 and answer.headers.get("content-type", "").startswith("application/json"):
        assert answer.json().get("detail"), answer.text[:500]
    return answer.json() if answer.status_code == 200 else None


@pytest.mark.parametrize("path", SEARCHES)
@pytest.mark.parametrize("name", QUERIES)
def test_any_query_over_http_is_answered_or_refused_clearly(name: str, path: str, two: Two) -> None:
    with two.http() as http:
        found = clear(http.post(path, json={"query": QUERIES[name]}))
    assert (found is None) == (len(QUERIES[name]) > 10_000)


@pytest.mark.parametrize("name", [name for name in QUERIES if name != "100 kB"])
def test_any_query_of_an_agents_archive_is_answered_or_refused_clearly(name: str, two: Two) -> None:
    with two.http() as http:
        found = clear(http.get(f"/v1/agents/{two.agent_id}/archival-memory/search", params={"query": QUERIES[name]}))
    # An address has no NUL.
    assert (found is None) == (name == "NUL")
    if found is not None:
        assert {each["content"] for each in found["results"]} <= {TEXT}


def test_an_address_that_is_too_long_is_refused(two: Two) -> None:
    with two.http() as http:
        assert clear(http.get(f"/v1/agents/{two.agent_id}/archival-memory/search", params={"query": "boat " * 9_000})) is None


def test_half_a_character_in_a_query_breaks_nothing(two: Two) -> None:
    body = b'{"query": "boat \\ud83d key"}'
    with two.http() as http:
        for path in SEARCHES:
            clear(http.post(path, content=body, headers={"content-type": "application/json"}))
        clear(http.get(f"/v1/agents/{two.agent_id}/archival-memory/search?query=boat%ED%A0%BD%FF"))


@pytest.mark.parametrize("top_k", ["0", "-1", "many", "1.5", "1e6", "99999999999999999999", "1000000"])
def test_a_wrong_top_k_is_refused_and_a_large_one_brings_what_there_is(top_k: str, two: Two) -> None:
    with two.http() as http:
        answer = http.get(f"/v1/agents/{two.agent_id}/archival-memory/search", params={"query": "boat", "top_k": top_k})
    found = clear(answer)
    if top_k == "1000000":
        assert [each["content"] for each in found["results"]] == [TEXT]
    elif not top_k.isdigit() or top_k == "0":
        assert answer.status_code == 422
        assert "top_k" in answer.text


@pytest.mark.parametrize("limit", [0, -1, 1_000_000, 10**30, "many", 1.5, None, [3]])
@pytest.mark.parametrize("path", SEARCHES[:3])
def test_a_wrong_limit_is_refused_by_name(path: str, limit: object, two: Two) -> None:
    with two.http() as http:
        answer = http.post(path, json={"query": "boat", "limit": limit})
    clear(answer)
    assert answer.status_code == 422
    assert "limit" in answer.text


@pytest.mark.parametrize("day", ["2023-02-31", "2023-13-01", "yesterday", "99999-01-01", "", "'; --", "\x00"])
def test_a_date_that_does_not_exist_is_refused(day: str, two: Two) -> None:
    with two.http() as http:
        path = f"/v1/agents/{two.agent_id}/archival-memory/search"
        assert http.get(path, params={"query": "boat", "start_datetime": day}).status_code == 422
        for path in SEARCHES[:3]:
            answer = http.post(path, json={"query": "boat", "start_date": day})
            assert clear(answer) is None
            assert "start_date" in answer.text


def test_a_time_that_ends_before_it_starts_has_nothing_in_it(two: Two) -> None:
    found = two.ada.agents.passages.search(
        two.agent_id, query="boat", start_datetime="2031-01-01T00:00:00Z", end_datetime="2001-01-01T00:00:00Z"
    )
    assert found.results == []
    with two.http() as http:
        for path in SEARCHES[:3]:
            body = {"query": "boat", "start_date": "2031-01-01T00:00:00Z", "end_date": "2001-01-01T00:00:00Z"}
            assert clear(http.post(path, json=body)) == []
        years = {"query": "boat", "start_datetime": "0001-01-01T00:00:00Z", "end_datetime": "9999-12-31T23:59:59Z"}
        found = clear(http.get(f"/v1/agents/{two.agent_id}/archival-memory/search", params=years))
        assert [each["content"] for each in found["results"]] == [TEXT]


@pytest.mark.parametrize("tag", ["it's", 'a "quote"', "a,b", "back\\slash", "{curly}", "%", "'; DROP TABLE passages; --", "🛶"])
def test_tags_are_compared_letter_for_letter(tag: str, two: Two) -> None:
    with two.http() as http:
        found = clear(http.get(f"/v1/agents/{two.agent_id}/archival-memory/search", params={"query": "boat", "tags": [tag]}))
        (again,) = (clear(http.post("/v1/passages/search", json={"query": "boat", "tags": [tag]})),)
    assert [each["content"] for each in found["results"]] == ([TEXT] if tag == "it's" else [])
    assert [each["passage"]["text"] for each in again] == ([TEXT] if tag == "it's" else [])


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"query": 7}', b'{"query": {"a": 1}}', b'{"query": "a"', b"\xff\xfe"])
@pytest.mark.parametrize("path", SEARCHES)
def test_a_body_that_is_no_search_is_refused(path: str, body: bytes, two: Two) -> None:
    with two.http() as http:
        answer = http.post(path, content=body, headers={"content-type": "application/json"})
    assert clear(answer) is None


@pytest.mark.parametrize("name", [name for name in QUERIES if name not in ("nothing", "NUL", "100 kB")])
def test_the_sdk_gets_its_own_results(name: str, two: Two) -> None:
    found = two.ada.agents.passages.search(two.agent_id, query=QUERIES[name])
    assert {each.content for each in found.results} <= {TEXT}
    assert {each.passage.text for each in two.ada.passages.search(query=QUERIES[name], tags=["boat"])} <= {TEXT}


@pytest.mark.parametrize("name", ["nothing", "NUL"])
def test_the_sdk_is_told_what_is_wrong_with_a_query_in_an_address(name: str, two: Two) -> None:
    with pytest.raises(APIStatusError, match=r"query|NUL") as refused:
        two.ada.agents.passages.search(two.agent_id, query=QUERIES[name])
    assert refused.value.status_code == 422
    assert [each.passage.text for each in two.ada.passages.search(query=QUERIES[name], tags=["boat"])] in ([], [TEXT])


def test_the_sdk_is_told_that_a_query_is_too_long(two: Two) -> None:
    with pytest.raises(APIStatusError) as refused:
        two.ada.passages.search(query=QUERIES["100 kB"])
    assert refused.value.status_code == 422
    assert "characters" in str(refused.value)


def test_the_other_tenant_still_finds_its_own(two: Two) -> None:
    found = two.bob.passages.search(query="Which boat?")
    assert [each.passage.text for each in found] == [THEIRS]
    assert json.dumps([each.passage.text for each in two.ada.passages.search(query="Olga")]).count("Olga") == 0
