"""Passages over Letta's API: stored, listed, found by words, meaning, tags and time, taken out of sight."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from letta_client import APIStatusError, Letta, NotFoundError, UnprocessableEntityError

from pagemind.testing.served import Served

UNKNOWN = "passage-00000000-0000-4000-8000-0000000000ff"
UNKNOWN_AGENT = "agent-00000000-0000-4000-8000-0000000000ff"
NOTES = (
    "Ada is allergic to peanuts.",
    "The invoice was paid on Friday.",
    "Her sister lives in Lisbon.",
    "The server room key is in the top drawer.",
    "They adopted a grey kitten in spring.",
)


@pytest.fixture
def agent_id(client: Letta) -> str:
    """An agent of the test's own."""
    return client.agents.create(name=f"p-{uuid4().hex[:8]}", model="openai/m", embedding="openai/e").id


def test_a_stored_passage_comes_back_in_a_list(client: Letta, agent_id: str) -> None:
    (made,) = client.agents.passages.create(agent_id, text="Ada likes figs.", tags=["food", "ada", "food"])
    assert made.id is not None
    assert made.id.startswith("passage-")
    assert (made.text, made.tags, made.metadata, made.is_deleted) == ("Ada likes figs.", ["food", "ada"], {}, False)
    assert (made.embedding, made.file_id, made.source_id) == (None, None, None)
    assert made.archive_id is not None
    assert made.archive_id.startswith("archive-")
    assert made.embedding_config is not None
    assert made.embedding_config.embedding_dim == 384
    assert made.created_at is not None
    assert datetime.now(UTC) - made.created_at < timedelta(minutes=1)


def test_a_passage_may_be_of_another_time(client: Letta, agent_id: str) -> None:
    (made,) = client.agents.passages.create(agent_id, text="Long ago.", created_at=datetime(2001, 2, 3, 4, 5, tzinfo=UTC))
    assert made.created_at == datetime(2001, 2, 3, 4, 5, tzinfo=UTC)
    (naive,) = client.agents.passages.create(agent_id, text="No zone.", created_at="2001-02-03T04:05:00")
    assert naive.created_at == made.created_at


def test_the_oldest_passage_is_listed_first(client: Letta, agent_id: str) -> None:
    made = [client.agents.passages.create(agent_id, text=f"Note {n}")[0].id for n in range(5)]
    assert [each.id for each in client.agents.passages.list(agent_id)] == made
    assert [each.id for each in client.agents.passages.list(agent_id, ascending=False)] == made[::-1]
    assert [each.id for each in client.agents.passages.list(agent_id, limit=2)] == made[:2]
    assert [each.id for each in client.agents.passages.list(agent_id, limit=2, after=made[1])] == made[2:4]
    assert [each.id for each in client.agents.passages.list(agent_id, limit=2, before=made[3])] == made[1:3]
    newest_first = client.agents.passages.list(agent_id, ascending=False, after=made[3])
    assert [each.id for each in newest_first] == made[2::-1]


def test_a_list_is_narrowed_by_words_as_they_stand(client: Letta, agent_id: str) -> None:
    for text in ("100% sure", "1000 sure", 'It\'s "quoted"'):
        client.agents.passages.create(agent_id, text=text)
    assert [each.text for each in client.agents.passages.list(agent_id, search="100% SURE")] == ["100% sure"]
    assert [each.text for each in client.agents.passages.list(agent_id, search="'s \"q")] == ['It\'s "quoted"']
    assert client.agents.passages.list(agent_id, search="_") == []


def test_a_passage_is_found_by_its_meaning_right_after_it_was_stored(client: Letta, agent_id: str) -> None:
    for text in NOTES:
        client.agents.passages.create(agent_id, text=text)
    found = client.agents.passages.search(agent_id, query="pets", top_k=1)
    assert [each.content for each in found.results] == [NOTES[4]]
    assert found.count == 1
    (again,) = client.agents.passages.search(agent_id, query="a medical problem with nuts", top_k=1).results
    assert again.content == NOTES[0]


def test_a_search_gives_what_there_is_as_letta_names_it(client: Letta, agent_id: str) -> None:
    (made,) = client.agents.passages.create(agent_id, text=NOTES[2], tags=["family"])
    found = client.agents.passages.search(agent_id, query="Lisbon")
    (hit,) = found.results
    assert (hit.id, hit.content, hit.tags) == (made.id, NOTES[2], ["family"])
    assert datetime.fromisoformat(hit.timestamp) == made.created_at


def test_a_search_is_narrowed_by_tags(client: Letta, agent_id: str) -> None:
    for text, tags in (("one", ["a"]), ("two", ["a", "b"]), ("three", ["c'; DROP TABLE passages; --"]), ("four", [])):
        client.agents.passages.create(agent_id, text=text, tags=tags)

    def found(**wanted: object) -> set[str]:
        return {each.content for each in client.agents.passages.search(agent_id, query="number", **wanted).results}  # pyright: ignore

    assert found(tags=["a", "b"]) == {"one", "two"}
    assert found(tags=["a", "b"], tag_match_mode="all") == {"two"}
    assert found(tags=["c'; DROP TABLE passages; --"]) == {"three"}
    assert found(tags=["nobody has this"]) == set()
    assert found() == {"one", "two", "three", "four"}


def test_a_search_is_narrowed_by_time(client: Letta, agent_id: str) -> None:
    for year in (2020, 2022, 2024):
        client.agents.passages.create(agent_id, text=f"In {year}.", created_at=datetime(year, 6, 1, tzinfo=UTC))

    def found(start: str | None = None, end: str | None = None) -> list[str]:
        hits = client.agents.passages.search(agent_id, query="year", start_datetime=start, end_datetime=end)
        return sorted(each.content for each in hits.results)

    assert found(start="2021-01-01") == ["In 2022.", "In 2024."]
    assert found(end="2023-01-01T00:00:00+02:00") == ["In 2020.", "In 2022."]
    assert found("2021-01-01", "2023-01-01") == ["In 2022."]
    assert found("2023-01-01", "2021-01-01") == []


def test_a_deleted_passage_is_out_of_sight(client: Letta, agent_id: str) -> None:
    (made,) = client.agents.passages.create(agent_id, text="Forget me.")
    assert made.id is not None
    client.agents.passages.delete(made.id, agent_id=agent_id)
    assert client.agents.passages.list(agent_id) == []
    assert client.agents.passages.search(agent_id, query="Forget me.").count == 0
    with pytest.raises(NotFoundError):
        client.agents.passages.delete(made.id, agent_id=agent_id)


def test_a_passage_of_another_agent_is_not_deleted(client: Letta, agent_id: str) -> None:
    other = client.agents.create(name=f"q-{uuid4().hex[:8]}", model="openai/m").id
    (made,) = client.agents.passages.create(agent_id, text="Mine.")
    assert made.id is not None
    with pytest.raises(NotFoundError):
        client.agents.passages.delete(made.id, agent_id=other)
    assert len(client.agents.passages.list(agent_id)) == 1
    assert client.agents.passages.search(other, query="Mine.").count == 0


def test_all_archives_are_searched_together(client: Letta, agent_id: str) -> None:
    word = f"zyx{uuid4().hex[:6]}"
    archive = client.archives.create(name="apart")
    client.agents.passages.create(agent_id, text=f"{word} of the agent", tags=["t"])
    client.archives.passages.create(archive.id, text=f"{word} of the archive", metadata={"n": 1})

    def texts(**wanted: object) -> list[str]:
        return sorted(each.passage.text for each in client.passages.search(**wanted) if word in each.passage.text)  # pyright: ignore

    assert texts(query=word) == [f"{word} of the agent", f"{word} of the archive"]
    assert texts(query=word, agent_id=agent_id) == [f"{word} of the agent"]
    assert texts(query=word, archive_id=archive.id) == [f"{word} of the archive"]
    assert texts(query=word, tags=["t"]) == [f"{word} of the agent"]
    (best, *_) = client.passages.search(query=f"{word} archive", limit=2)
    assert (best.passage.text, best.passage.metadata) == (f"{word} of the archive", {"n": 1})
    assert best.score > 0


def test_without_a_query_the_newest_come_first(client: Letta, agent_id: str) -> None:
    for n in range(3):
        client.agents.passages.create(agent_id, text=f"Note {n}", tags=["odd"] if n % 2 else [])
    assert [each.passage.text for each in client.passages.search(agent_id=agent_id, limit=2)] == ["Note 2", "Note 1"]
    assert [each.passage.text for each in client.passages.search(agent_id=agent_id, tags=["odd"])] == ["Note 1"]
    later = client.passages.search(agent_id=agent_id, start_date=datetime.now(UTC) + timedelta(hours=1))
    assert later == []


@pytest.mark.parametrize("text", ["", "  \n ", "\x00"])
def test_an_empty_passage_is_refused(client: Letta, agent_id: str, text: str) -> None:
    with pytest.raises(UnprocessableEntityError):
        client.agents.passages.create(agent_id, text=text)


def test_a_passage_has_a_limit(client: Letta, agent_id: str) -> None:
    with pytest.raises(APIStatusError) as refused:
        client.agents.passages.create(agent_id, text="word " * 50_000)
    assert refused.value.status_code == 413
    assert client.agents.passages.list(agent_id) == []


def test_odd_letters_are_kept_or_left_out(client: Letta, agent_id: str) -> None:
    (made,) = client.agents.passages.create(
        agent_id, text="a\x00b \U0001f600 \u0645\u0631\u062d\u0628\u0627", tags=["\x00x", "'\""]
    )
    assert (made.text, made.tags) == ("ab \U0001f600 \u0645\u0631\u062d\u0628\u0627", ["x", "'\""])


def test_queries_without_sense_are_answered(server: Served, client: Letta, agent_id: str) -> None:
    client.agents.passages.create(agent_id, text="Something.")
    path = f"{server.url}/v1/agents/{agent_id}/archival-memory/search"
    assert httpx.get(path, params={"query": ""}).json() == {"results": [], "count": 0}
    assert httpx.get(path).status_code == 422
    assert client.agents.passages.search(agent_id, query="'\"; ( ) & | ! :* <-> \\").count <= 1
    assert client.agents.passages.search(agent_id, query="Something", top_k=1_000_000).count == 1
    for wrong in ({"top_k": 0}, {"tag_match_mode": "none"}, {"end_datetime": "yesterday"}, {"tags": ["t" * 1000]}):
        with pytest.raises(UnprocessableEntityError):
            client.agents.passages.search(agent_id, query="x", **wrong)  # pyright: ignore


def test_a_query_has_a_limit(client: Letta, agent_id: str) -> None:
    with pytest.raises(UnprocessableEntityError):
        client.passages.search(agent_id=agent_id, query="q" * 100_000)
    with pytest.raises(APIStatusError) as refused:
        client.agents.passages.search(agent_id, query="q" * 50_000)
    assert 400 <= refused.value.status_code < 500
    for limit in (0, 101):
        with pytest.raises(UnprocessableEntityError):
            client.passages.search(query="x", limit=limit)


def test_unknown_ids_are_said(client: Letta, agent_id: str) -> None:
    with pytest.raises(NotFoundError, match=UNKNOWN_AGENT):
        client.agents.passages.create(UNKNOWN_AGENT, text="Nobody's.")
    with pytest.raises(NotFoundError, match=UNKNOWN_AGENT):
        client.agents.passages.list(UNKNOWN_AGENT)
    with pytest.raises(NotFoundError):
        client.agents.passages.search(UNKNOWN_AGENT, query="x")
    with pytest.raises(NotFoundError):
        client.agents.passages.list(agent_id, after=UNKNOWN)
    with pytest.raises(NotFoundError):
        client.passages.search(archive_id="archive-00000000-0000-4000-8000-0000000000ff", query="x")
    with pytest.raises(UnprocessableEntityError):
        client.agents.passages.delete("passage-1", agent_id=agent_id)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": None},
        {"text": "x", "tags": "one"},
        {"text": "x", "tags": [1]},
        {"text": "x", "created_at": "yesterday"},
        {"text": "x", "created_at": "0001-01-01T00:00:00+14:00"},
        {"text": "x", "tags": ["t"] * 1000},
    ],
)
def test_a_wrong_body_is_refused(server: Served, agent_id: str, body: dict[str, object]) -> None:
    answer = httpx.post(f"{server.url}/v1/agents/{agent_id}/archival-memory", json=body)
    assert answer.status_code == 422
    assert answer.json()["trace_id"] == ""


def test_a_passage_is_not_rewritten(server: Served, client: Letta, agent_id: str) -> None:
    (made,) = client.agents.passages.create(agent_id, text="Stands.")
    answer = httpx.patch(f"{server.url}/v1/agents/{agent_id}/archival-memory/{made.id}", json={"text": "Falls."})
    assert answer.status_code == 405


def test_what_stands_already_is_given_back_instead_of_stored_again(client: Letta, agent_id: str) -> None:
    (first,) = client.agents.passages.create(agent_id, text="Ada likes figs.", tags=["food"])
    (again,) = client.agents.passages.create(agent_id, text="ada likes  figs", tags=["ada"])
    assert (again.id, again.text, again.tags) == (first.id, "Ada likes figs.", ["food", "ada"])
    (other,) = client.agents.passages.create(agent_id, text="Ada does not like figs.")
    assert other.id != first.id
    assert first.archive_id is not None
    batch = client.archives.passages.create_many(
        first.archive_id, passages=[{"text": "ADA LIKES FIGS!"}, {"text": "New."}, {"text": "new"}]
    )
    assert [passage.id == first.id for passage in batch] == [True, False, False]
    assert batch[1].id == batch[2].id
    assert len(client.agents.passages.list(agent_id)) == 3


def test_a_search_says_why_under_metadata(server: Served, client: Letta, agent_id: str) -> None:
    client.agents.passages.create(agent_id, text="Ada likes figs.")
    found = httpx.post(f"{server.url}/v1/passages/search", json={"query": "figs", "agent_id": agent_id}).json()
    assert found[0]["metadata"]["origin"] == "stated"
    assert found[0]["metadata"]["scores"]["words_rank"] == 1
