"""Archives over Letta's API: kept apart from agents, shared between them, taken out of sight."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from letta_client import Letta, NotFoundError, UnprocessableEntityError

from pagemind.testing.served import Served

UNKNOWN = "archive-00000000-0000-4000-8000-0000000000ff"
UNKNOWN_AGENT = "agent-00000000-0000-4000-8000-0000000000ff"


@pytest.fixture
def new_agent(client: Letta) -> Callable[[], str]:
    """A new agent's id."""
    return lambda: client.agents.create(name=f"a-{uuid4().hex[:8]}", model="openai/m", embedding="openai/e").id


def test_an_archive_is_kept_as_it_was_made(client: Letta) -> None:
    made = client.archives.create(name="facts", description="What is so.", embedding="openai/text-embedding-3-small")
    found = client.archives.retrieve(made.id)
    assert found.id.startswith("archive-")
    assert (found.name, found.description, found.vector_db_provider) == ("facts", "What is so.", "native")
    assert found.embedding_config is not None
    assert found.embedding_config.embedding_dim > 0
    assert found.created_at == made.created_at


def test_an_archive_is_renamed(client: Letta) -> None:
    made = client.archives.create(name="before", description="Stays.")
    changed = client.archives.update(made.id, name="after")
    assert (changed.name, changed.description) == ("after", "Stays.")
    assert client.archives.retrieve(made.id).name == "after"
    assert changed.updated_at is not None
    assert made.updated_at is not None
    assert changed.updated_at > made.updated_at


def test_a_deleted_archive_is_gone(client: Letta) -> None:
    made = client.archives.create(name="short-lived")
    client.archives.delete(made.id)
    with pytest.raises(NotFoundError):
        client.archives.retrieve(made.id)
    with pytest.raises(NotFoundError):
        client.archives.delete(made.id)
    with pytest.raises(NotFoundError):
        client.archives.passages.create(made.id, text="too late")


def test_archives_are_listed_by_name_and_in_pages(client: Letta) -> None:
    name = uuid4().hex
    made = [client.archives.create(name=name).id for _ in range(5)]
    assert [each.id for each in client.archives.list(name=name, limit=2)] == made[::-1]
    assert [each.id for each in client.archives.list(name=name, limit=2, order="asc")] == made
    before = client.archives.list(name=name, order="asc", before=made[2], limit=10)
    assert [each.id for each in before.items] == made[:2]
    client.archives.delete(made[0])
    assert len(list(client.archives.list(name=name))) == 4


def test_an_unknown_cursor_is_no_endless_list(client: Letta) -> None:
    with pytest.raises(NotFoundError):
        client.archives.list(after=UNKNOWN)


@pytest.mark.parametrize("name", ["", "n" * 600])
def test_a_name_has_a_length(client: Letta, name: str) -> None:
    with pytest.raises(UnprocessableEntityError):
        client.archives.create(name=name)


def test_ids_are_looked_at(client: Letta) -> None:
    with pytest.raises(UnprocessableEntityError):
        client.archives.retrieve("archive-1")
    with pytest.raises(NotFoundError):
        client.archives.retrieve(UNKNOWN)
    with pytest.raises(UnprocessableEntityError):
        client.archives.retrieve("agent-00000000-0000-4000-8000-0000000000ff")


def test_a_passage_of_an_archive_has_what_was_given(client: Letta) -> None:
    archive = client.archives.create(name="facts")
    made = client.archives.passages.create(
        archive.id, text="The bridge opens at noon.", tags=["bridge"], metadata={"page": 7}, created_at="2024-05-01T10:00:00Z"
    )
    assert made.id is not None
    assert made.id.startswith("passage-")
    assert (made.text, made.tags, made.metadata) == ("The bridge opens at noon.", ["bridge"], {"page": 7})
    assert (made.archive_id, made.embedding) == (archive.id, None)
    assert made.created_at is not None
    assert made.created_at.isoformat() == "2024-05-01T10:00:00+00:00"


def test_many_passages_come_in_one_request(client: Letta) -> None:
    archive = client.archives.create(name="bulk")
    made = client.archives.passages.create_many(
        archive.id, passages=[{"text": f"Fact {n}", "tags": [f"t{n}"]} for n in range(300)]
    )
    assert [each.text for each in made] == [f"Fact {n}" for n in range(300)]
    assert len({each.id for each in made}) == 300
    (hit, *_) = client.passages.search(archive_id=archive.id, query="Fact 250", tags=["t250"])
    assert hit.passage.id == made[250].id


def test_no_passages_are_no_error(client: Letta) -> None:
    archive = client.archives.create(name="bulk")
    assert client.archives.passages.create_many(archive.id, passages=[]) == []


def test_of_many_passages_all_are_kept_or_none(client: Letta) -> None:
    archive = client.archives.create(name="bulk")
    with pytest.raises(UnprocessableEntityError):
        client.archives.passages.create_many(archive.id, passages=[{"text": "fine"}, {"text": " "}])
    assert client.passages.search(archive_id=archive.id) == []


def test_a_passage_of_an_archive_is_deleted_once(client: Letta) -> None:
    archive, other = client.archives.create(name="a"), client.archives.create(name="b")
    made = client.archives.passages.create(archive.id, text="Gone soon.")
    assert made.id is not None
    with pytest.raises(NotFoundError):
        client.archives.passages.delete(made.id, archive_id=other.id)
    client.archives.passages.delete(made.id, archive_id=archive.id)
    assert client.passages.search(archive_id=archive.id, query="gone") == []
    with pytest.raises(NotFoundError):
        client.archives.passages.delete(made.id, archive_id=archive.id)


def test_metadata_may_be_odd_but_not_endless(client: Letta) -> None:
    archive = client.archives.create(name="odd")
    odd: dict[str, object] = {"a": "x\x00y", "nested": [{"b": None}], "\x00": 1}
    made = client.archives.passages.create(archive.id, text="\x00text\x00", metadata=odd)
    assert (made.text, made.metadata) == ("text", {"a": "xy", "nested": [{"b": None}], "": 1})
    deep: dict[str, object] = {}
    for _ in range(80):
        deep = {"d": deep}
    with pytest.raises(UnprocessableEntityError):
        client.archives.passages.create(archive.id, text="deep", metadata=deep)


def test_two_agents_share_an_archive(server: Served, client: Letta, new_agent: Callable[[], str]) -> None:
    ada, bob = new_agent(), new_agent()
    archive = client.archives.create(name="shared")
    for agent_id in (ada, bob):
        assert client.agents.archives.attach(archive.id, agent_id=agent_id) is None
    client.agents.passages.create(ada, text="The key lies under the third stone.")
    (seen,) = client.agents.passages.list(bob)
    assert (seen.text, seen.archive_id) == ("The key lies under the third stone.", archive.id)
    found = client.agents.passages.search(bob, query="where is the key?")
    assert [each.content for each in found.results] == [seen.text]
    assert [each.id for each in client.archives.list(agent_id=bob)] == [archive.id]
    sharing = httpx.get(f"{server.url}/v1/archives/{archive.id}/agents").json()
    assert [each["id"] for each in sharing] == [bob, ada]


def test_a_deleted_shared_archive_is_out_of_every_agents_sight(client: Letta, new_agent: Callable[[], str]) -> None:
    ada, bob = new_agent(), new_agent()
    archive = client.archives.create(name="shared")
    client.agents.archives.attach(archive.id, agent_id=ada)
    client.agents.archives.attach(archive.id, agent_id=bob)
    client.archives.passages.create(archive.id, text="Nobody will know.")
    client.archives.delete(archive.id)
    assert client.agents.passages.list(ada) == client.agents.passages.list(bob) == []
    assert client.agents.passages.search(ada, query="know").count == 0
    assert client.passages.search(query="Nobody will know.", agent_id=bob) == []
    client.agents.passages.create(ada, text="A new beginning.")
    (own,) = client.archives.list(agent_id=ada)
    assert own.id != archive.id


def test_a_detached_archive_stays_with_the_others(client: Letta, new_agent: Callable[[], str]) -> None:
    ada, bob = new_agent(), new_agent()
    archive = client.archives.create(name="shared")
    for agent_id in (ada, bob):
        client.agents.archives.attach(archive.id, agent_id=agent_id)
    client.archives.passages.create(archive.id, text="Still here.")
    for _ in range(2):
        assert client.agents.archives.detach(archive.id, agent_id=ada) is None
    assert client.agents.passages.list(ada) == []
    assert [each.text for each in client.agents.passages.list(bob)] == ["Still here."]


def test_attaching_twice_is_attaching_once(client: Letta, new_agent: Callable[[], str]) -> None:
    ada = new_agent()
    client.agents.passages.create(ada, text="My own.")
    archive = client.archives.create(name="second")
    for _ in range(2):
        client.agents.archives.attach(archive.id, agent_id=ada)
    client.archives.passages.create(archive.id, text="Shared.")
    client.agents.passages.create(ada, text="Still my own.")
    assert [each.text for each in client.agents.passages.list(ada)] == ["My own.", "Shared.", "Still my own."]
    assert [hit.passage.text for hit in client.passages.search(archive_id=archive.id)] == ["Shared."]


def test_unknown_agents_and_archives_are_not_attached(client: Letta, new_agent: Callable[[], str]) -> None:
    archive = client.archives.create(name="lonely")
    with pytest.raises(NotFoundError):
        client.agents.archives.attach(UNKNOWN, agent_id=new_agent())
    with pytest.raises(NotFoundError):
        client.agents.archives.attach(archive.id, agent_id=UNKNOWN_AGENT)
    with pytest.raises(NotFoundError):
        client.agents.archives.detach(archive.id, agent_id=UNKNOWN_AGENT)
