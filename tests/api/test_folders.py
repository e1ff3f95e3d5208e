"""Folders and files over Letta's API: uploaded, read, attached to agents, opened, and taken out of sight."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from importlib.util import find_spec
from uuid import uuid4

import httpx
import pytest
from letta_client import APIStatusError, BadRequestError, ConflictError, Letta, NotFoundError, UnprocessableEntityError
from letta_client.types import Folder
from letta_client.types.folders import FileRetrieveResponse

from pagemind.testing.openai_server import calls, says
from pagemind.testing.served import Provider, Served

UNKNOWN = "source-00000000-0000-4000-8000-0000000000ff"
UNKNOWN_FILE = "file-00000000-0000-4000-8000-0000000000ff"
UNKNOWN_AGENT = "agent-00000000-0000-4000-8000-0000000000ff"
TOOLS = {"open_files", "grep_files", "semantic_search_files"}
GARDEN = """# Garden

The figs ripen in late August.

## Tools

The spade hangs behind the green door.
The hose leaks at the second joint.
"""


@pytest.fixture
def folder(client: Letta) -> Folder:
    """A folder of the test's own."""
    return client.folders.create(name=f"f-{uuid4().hex[:8]}", embedding="openai/text-embedding-3-small")


@pytest.fixture
def agent_id(client: Letta) -> str:
    """An agent of the test's own."""
    return client.agents.create(name=f"p-{uuid4().hex[:8]}", model="openai/m", embedding="openai/e").id


@pytest.fixture
def upload(client: Letta, folder: Folder) -> Callable[..., FileRetrieveResponse]:
    """Upload a file and wait until it is done."""

    def uploading(name: str, content: str | bytes, media_type: str = "text/plain") -> FileRetrieveResponse:
        data = content.encode() if isinstance(content, str) else content
        file = client.folders.files.upload(folder.id, file=(name, data, media_type))
        return done(client, folder.id, file.id)

    return uploading


def done(client: Letta, folder_id: str, file_id: str) -> FileRetrieveResponse:
    """The file once nothing more will come of it."""
    until = time.monotonic() + 60
    while True:
        file = client.folders.files.retrieve(file_id, folder_id=folder_id)
        if file.processing_status in ("completed", "error"):
            return file
        assert time.monotonic() < until, f"the file is still {file.processing_status}"
        time.sleep(0.05)


def names(client: Letta, agent_id: str) -> set[str]:
    return {tool.name or "" for tool in client.agents.tools.list(agent_id, limit=50)}


# --- folders ----------------------------------------------------------------------------------------------------------------


def test_a_folder_is_kept_as_it_was_made(client: Letta) -> None:
    name = f"docs-{uuid4().hex[:8]}"
    made = client.folders.create(name=name, description="What we know.", instructions="Read.", metadata={"a": [1]})
    found = client.folders.retrieve(made.id)
    assert found.id.startswith("source-")
    assert (found.name, found.description, found.instructions, found.metadata) == (name, "What we know.", "Read.", {"a": [1]})
    assert found.embedding_config.embedding_dim > 0


def test_a_name_belongs_to_one_folder(client: Letta, folder: Folder) -> None:
    with pytest.raises(ConflictError):
        client.folders.create(name=folder.name)
    other = client.folders.create(name=f"o-{uuid4().hex[:8]}")
    with pytest.raises(ConflictError):
        client.folders.update(other.id, name=folder.name)
    client.folders.delete(folder.id)
    assert client.folders.create(name=folder.name).id != folder.id


def test_a_folder_is_changed_where_it_is_asked_for(client: Letta, folder: Folder) -> None:
    changed = client.folders.update(folder.id, description="New.", metadata={"b": 2})
    assert (changed.name, changed.description, changed.metadata) == (folder.name, "New.", {"b": 2})
    assert client.folders.retrieve(folder.id).description == "New."


def test_folders_are_listed_the_oldest_first(client: Letta) -> None:
    made = [client.folders.create(name=f"l-{uuid4().hex[:8]}").id for _ in range(3)]
    listed = [each.id for each in client.folders.list(limit=2)]
    assert [each for each in listed if each in made] == made
    assert [each.id for each in client.folders.list(order="desc", limit=3).items] == made[::-1]
    name = client.folders.retrieve(made[1]).name
    assert [each.id for each in client.folders.list(name=name)] == [made[1]]


def test_a_deleted_folder_is_gone(client: Letta, folder: Folder) -> None:
    client.folders.delete(folder.id)
    for asked in (client.folders.retrieve, client.folders.delete, client.folders.files.list, client.folders.agents.list):
        with pytest.raises(NotFoundError):
            asked(folder.id)


def test_folders_are_counted_and_found_by_name_as_older_clients_ask(server: Served, client: Letta, folder: Folder) -> None:
    for kind in ("folders", "sources"):
        url = f"{server.url}/v1/{kind}"
        assert httpx.get(f"{url}/count").json() >= 1
        assert httpx.get(f"{url}/name/{folder.name}").json() == folder.id
        assert httpx.get(f"{url}/name/nobody").status_code == 404
        assert httpx.get(f"{url}/{folder.id}").json()["name"] == folder.name
        assert httpx.get(f"{url}/metadata").json()["total_sources"] >= 1


def test_sources_are_folders(server: Served, client: Letta, agent_id: str) -> None:
    url = f"{server.url}/v1/sources/"
    made = httpx.post(url, json={"name": f"s-{uuid4().hex[:8]}"}).json()
    sent = httpx.post(f"{url}{made['id']}/upload", files={"file": ("a.txt", b"hello", "text/plain")}).json()
    assert sent["source_id"] == made["id"]
    httpx.patch(f"{server.url}/v1/agents/{agent_id}/sources/attach/{made['id']}").raise_for_status()
    assert [each.id for each in client.agents.folders.list(agent_id)] == [made["id"]]
    assert [each["id"] for each in httpx.get(f"{server.url}/v1/agents/{agent_id}/sources").json()] == [made["id"]]
    assert httpx.delete(f"{url}{made['id']}/{sent['id']}").status_code == 204
    assert httpx.delete(f"{url}{made['id']}").status_code == 200


# --- files ------------------------------------------------------------------------------------------------------------------


def test_an_upload_is_read_cut_and_embedded(client: Letta, folder: Folder) -> None:
    file = client.folders.files.upload(folder.id, file=("garden.md", GARDEN.encode(), "text/markdown"))
    assert file.id.startswith("file-")
    assert (file.source_id, file.file_name, file.original_file_name) == (folder.id, f"{folder.name}/garden.md", "garden.md")
    assert (file.file_size, file.processing_status) == (len(GARDEN), "parsing")
    ready = done(client, folder.id, file.id)
    assert ready.processing_status == "completed"
    assert ready.total_chunks == ready.chunks_embedded == 2
    assert ready.content is None
    assert client.folders.files.retrieve(file.id, folder_id=folder.id, include_content=True).content == GARDEN


def test_the_pieces_of_a_file_say_where_they_came_from(
    server: Served, folder: Folder, upload: Callable[..., FileRetrieveResponse]
) -> None:
    file = upload("garden.md", GARDEN)
    pieces = httpx.get(f"{server.url}/v1/folders/{folder.id}/passages", params={"order": "asc"}).json()
    assert [(each["metadata"]["heading"], each["metadata"]["first_line"]) for each in pieces] == [("Garden", 1), ("Tools", 5)]
    assert {each["file_id"] for each in pieces} == {file.id}
    assert {each["file_name"] for each in pieces} == {f"{folder.name}/garden.md"}


@pytest.mark.parametrize(
    ("name", "media_type", "content"),
    [
        ("a.txt", "text/plain", b"plain"),
        ("a.md", "application/octet-stream", b"# By its name"),
        ("a.csv", "text/csv", b"a,b\n1,2\n"),
        ("a.json", "application/json", b'{"a": 1}'),
        ("a.py", "", b"print('hi')"),
        ("a.rs", "application/octet-stream", b"fn main() {}"),
        ("latin.txt", "text/plain", "caf\u00e9".encode("cp1252")),
        ("wide.txt", "text/plain", "caf\u00e9".encode("utf-16")),
        ("nul.txt", "text/plain", b"a\x00b"),
    ],
)
def test_text_of_all_sorts_is_read(
    upload: Callable[..., FileRetrieveResponse], name: str, media_type: str, content: bytes
) -> None:
    assert upload(name, content, media_type).processing_status == "completed"


def test_an_empty_file_has_no_pieces(upload: Callable[..., FileRetrieveResponse]) -> None:
    file = upload("empty.txt", b"")
    assert (file.processing_status, file.total_chunks, file.chunks_embedded) == ("completed", 0, 0)


@pytest.mark.parametrize(("name", "media_type"), [("a.png", "image/png"), ("a.exe", "application/octet-stream"), ("a", "")])
def test_what_is_no_text_is_refused(client: Letta, folder: Folder, name: str, media_type: str) -> None:
    with pytest.raises(APIStatusError) as refused:
        client.folders.files.upload(folder.id, file=(name, b"\x00\x01", media_type))
    assert refused.value.status_code == 415


def test_a_pdf_is_read_page_by_page(client: Letta, folder: Folder, upload: Callable[..., FileRetrieveResponse]) -> None:
    if find_spec("pypdf") is None:
        pytest.skip("the extra `documents` (pypdf) is not installed")
    file = upload("paper.pdf", pdf("The treaty was signed in Porto."), "application/pdf")
    assert file.processing_status == "completed", file.error_message
    content = client.folders.files.retrieve(file.id, folder_id=folder.id, include_content=True).content
    assert content is not None
    assert "# Page 1" in content
    assert "The treaty was signed in Porto." in content


def test_a_broken_pdf_ends_in_an_error_that_says_so(upload: Callable[..., FileRetrieveResponse]) -> None:
    if find_spec("pypdf") is None:
        pytest.skip("the extra `documents` (pypdf) is not installed")
    file = upload("broken.pdf", b"%PDF-1.7 and then nothing", "application/pdf")
    assert file.processing_status == "error"
    assert file.error_message is not None
    assert "PDF" in file.error_message


def test_a_taken_name_is_handled_as_asked(client: Letta, folder: Folder) -> None:
    def sent(content: bytes, **how: object) -> str:
        file = client.folders.files.upload(folder.id, file=("n.txt", content, "text/plain"), **how)  # pyright: ignore
        return (file.file_name or "").removeprefix(f"{folder.name}/")

    assert sent(b"first") == "n.txt"
    assert sent(b"second") == "n_(1).txt"
    assert sent(b"third", duplicate_handling="suffix") == "n_(2).txt"
    assert sent(b"fourth", duplicate_handling="skip") == "n.txt"
    with pytest.raises(BadRequestError):
        sent(b"fifth", duplicate_handling="error")
    assert sent(b"sixth", duplicate_handling="replace") == "n.txt"
    with pytest.raises(UnprocessableEntityError):
        sent(b"seventh", duplicate_handling="shrug")
    listed = {each.file_name: each for each in client.folders.files.list(folder.id, include_content=True)}
    assert set(listed) == {"n.txt", "n_(1).txt", "n_(2).txt"}
    replaced = done(client, folder.id, listed["n.txt"].id)
    assert client.folders.files.retrieve(replaced.id, folder_id=folder.id, include_content=True).content == "sixth"


def test_a_file_may_be_given_another_name(client: Letta, folder: Folder) -> None:
    file = client.folders.files.upload(folder.id, file=("../../etc/passwd.txt", b"x", "text/plain"))
    assert file.file_name == f"{folder.name}/passwd.txt"
    named = client.folders.files.upload(folder.id, file=("b.txt", b"x", "text/plain"), name="called.md")
    assert named.file_name == f"{folder.name}/called.md"


def test_files_are_listed_the_newest_first(client: Letta, folder: Folder) -> None:
    made = [client.folders.files.upload(folder.id, file=(f"{n}.txt", b"x", "text/plain")).id for n in range(3)]
    assert [each.id for each in client.folders.files.list(folder.id)] == made[::-1]
    assert [each.id for each in client.folders.files.list(folder.id, limit=1, order="asc")] == made
    with pytest.raises(NotFoundError):
        client.folders.files.list(folder.id, after=UNKNOWN_FILE)


def test_a_deleted_file_is_out_of_sight(
    server: Served, client: Letta, folder: Folder, upload: Callable[..., FileRetrieveResponse]
) -> None:
    file = upload("garden.md", GARDEN)
    client.folders.files.delete(file.id, folder_id=folder.id)
    assert list(client.folders.files.list(folder.id)) == []
    assert httpx.get(f"{server.url}/v1/folders/{folder.id}/passages").json() == []
    with pytest.raises(NotFoundError):
        client.folders.files.delete(file.id, folder_id=folder.id)
    with pytest.raises(NotFoundError):
        client.folders.files.retrieve(file.id, folder_id=folder.id)


def test_pieces_of_files_are_no_passages_of_agents(
    client: Letta, folder: Folder, agent_id: str, upload: Callable[..., FileRetrieveResponse]
) -> None:
    upload("garden.md", GARDEN)
    client.agents.folders.attach(folder.id, agent_id=agent_id)
    assert client.agents.passages.list(agent_id) == []
    assert client.agents.passages.search(agent_id, query="figs").count == 0
    assert all(each.passage.file_id is None for each in client.passages.search(query="figs ripen"))
    assert all(each.name != folder.name for each in client.archives.list(name=folder.name))


def test_ids_of_files_and_folders_are_looked_at(server: Served, client: Letta, folder: Folder) -> None:
    with pytest.raises(NotFoundError):
        client.folders.retrieve(UNKNOWN)
    with pytest.raises(UnprocessableEntityError):
        client.folders.retrieve("folder-1")
    with pytest.raises(NotFoundError):
        client.folders.files.upload(UNKNOWN, file=("a.txt", b"x", "text/plain"))
    with pytest.raises(NotFoundError):
        client.folders.files.retrieve(UNKNOWN_FILE, folder_id=folder.id)
    assert httpx.post(f"{server.url}/v1/folders/{folder.id}/upload").status_code == 422
    assert httpx.post(f"{server.url}/v1/folders/{folder.id}/upload", content=b"x").status_code == 422


# --- agents -----------------------------------------------------------------------------------------------------------------


def test_an_agent_gets_the_file_tools_with_its_first_folder(client: Letta, folder: Folder, agent_id: str) -> None:
    other = client.folders.create(name=f"o-{uuid4().hex[:8]}")
    before = names(client, agent_id)
    assert not TOOLS & before
    for _ in range(2):
        assert client.agents.folders.attach(folder.id, agent_id=agent_id) is None
    client.agents.folders.attach(other.id, agent_id=agent_id)
    assert names(client, agent_id) == before | TOOLS
    assert {each.id for each in client.agents.folders.list(agent_id)} == {folder.id, other.id}
    assert client.folders.agents.list(folder.id) == [agent_id]
    client.agents.folders.detach(folder.id, agent_id=agent_id)
    assert names(client, agent_id) == before | TOOLS
    client.folders.delete(other.id)
    assert names(client, agent_id) == before
    assert client.agents.folders.detach(folder.id, agent_id=agent_id) is None


def test_unknown_folders_and_agents_are_not_attached(client: Letta, folder: Folder, agent_id: str) -> None:
    with pytest.raises(NotFoundError):
        client.agents.folders.attach(UNKNOWN, agent_id=agent_id)
    with pytest.raises(NotFoundError, match=UNKNOWN_AGENT):
        client.agents.folders.attach(folder.id, agent_id=UNKNOWN_AGENT)
    with pytest.raises(NotFoundError):
        client.agents.files.list(UNKNOWN_AGENT)


def test_an_agents_files_are_opened_and_closed(
    client: Letta, folder: Folder, agent_id: str, upload: Callable[..., FileRetrieveResponse]
) -> None:
    file = upload("garden.md", GARDEN)
    client.agents.folders.attach(folder.id, agent_id=agent_id)
    (listed,) = client.agents.files.list(agent_id).files
    assert (listed.file_id, listed.file_name, listed.folder_id) == (file.id, f"{folder.name}/garden.md", folder.id)
    assert (listed.folder_name, listed.is_open, listed.visible_content) == (folder.name, False, None)
    assert client.agents.files.open(file.id, agent_id=agent_id) == []
    (opened,) = client.agents.files.list(agent_id, is_open=True).files
    assert opened.id.startswith("file_agent-")
    assert opened.visible_content is not None
    assert "3: The figs ripen in late August." in opened.visible_content
    client.agents.files.close(file.id, agent_id=agent_id)
    assert client.agents.files.list(agent_id, is_open=True).files == []
    assert len(client.agents.files.list(agent_id, is_open=False).files) == 1


def test_the_file_used_least_recently_is_closed_first(
    client: Letta, folder: Folder, agent_id: str, upload: Callable[..., FileRetrieveResponse]
) -> None:
    made = [upload(f"{n}.txt", f"text {n}").id for n in range(6)]
    client.agents.folders.attach(folder.id, agent_id=agent_id)
    for file_id in made[:5]:
        assert client.agents.files.open(file_id, agent_id=agent_id) == []
    assert client.agents.files.open(made[0], agent_id=agent_id) == []
    assert client.agents.files.open(made[5], agent_id=agent_id) == [f"{folder.name}/1.txt"]
    assert len(client.agents.files.list(agent_id, is_open=True).files) == 5
    assert client.agents.files.close_all(agent_id) == [f"{folder.name}/{n}.txt" for n in (0, 2, 3, 4, 5)]
    assert client.agents.files.close_all(agent_id) == []


def test_an_agents_files_come_in_pages(client: Letta, folder: Folder, agent_id: str) -> None:
    made = [client.folders.files.upload(folder.id, file=(f"{n}.txt", b"x", "text/plain")).id for n in range(5)]
    client.agents.folders.attach(folder.id, agent_id=agent_id)
    page = client.agents.files.list(agent_id, limit=2)
    assert ([each.file_id for each in page.files], page.has_more) == (made[:2:-1], True)
    assert page.next_cursor is not None
    assert [each.file_id for each in client.agents.files.list(agent_id, limit=2)] == made[::-1]
    with pytest.raises(NotFoundError):
        client.agents.files.list(agent_id, after=UNKNOWN_FILE)


def test_files_of_other_agents_folders_are_out_of_reach(
    client: Letta, agent_id: str, upload: Callable[..., FileRetrieveResponse]
) -> None:
    file = upload("secret.txt", "nobody's business")
    with pytest.raises(NotFoundError):
        client.agents.files.open(file.id, agent_id=agent_id)
    with pytest.raises(NotFoundError):
        client.agents.files.close(UNKNOWN_FILE, agent_id=agent_id)


def test_an_agent_reads_its_files(
    client: Letta, provider: Provider, folder: Folder, agent_id: str, upload: Callable[..., FileRetrieveResponse]
) -> None:
    upload("garden.md", GARDEN)
    client.agents.folders.attach(folder.id, agent_id=agent_id)
    provider.will(
        calls("semantic_search_files", query="where is the spade?", limit=1),
        calls("grep_files", pattern="leaks|ripen", context_lines=0),
        calls("open_files", file_requests=[{"file_name": f"{folder.name}/garden.md", "offset": 6, "length": 1}]),
        calls("open_files", file_requests=[{"file_name": "other.md"}]),
        says("Behind the green door."),
    )
    answer = client.agents.messages.create(agent_id, messages=[{"role": "user", "content": "Where is the spade?"}])
    found = [each.tool_return for each in answer.messages if each.message_type == "tool_return_message"]
    assert "behind the green door" in str(found[0])
    assert "3: The figs ripen" in str(found[1])
    assert "8: The hose leaks" in str(found[1])
    assert "7: The spade hangs" in str(found[2])
    assert "hose" not in str(found[2])
    assert f"{folder.name}/garden.md" in str(found[3])
    (opened,) = client.agents.files.list(agent_id, is_open=True).files
    assert (opened.start_line, opened.end_line) == (7, 7)


def test_what_is_opened_from_outside_is_told(
    client: Letta, provider: Provider, folder: Folder, agent_id: str, upload: Callable[..., FileRetrieveResponse]
) -> None:
    file = upload("garden.md", GARDEN)
    client.agents.folders.attach(folder.id, agent_id=agent_id)
    provider.will(says("Hello."))

    def prompt(text: str) -> str:
        client.agents.messages.create(agent_id, messages=[{"role": "user", "content": text}])
        return str(provider.asked[-1].body["messages"])

    assert f"{folder.name}/garden.md" in prompt("Hi.")
    assert "The figs ripen" not in prompt("Hi.")
    client.agents.files.open(file.id, agent_id=agent_id)
    assert "The figs ripen" in prompt("Hi again.")


def pdf(text: str) -> bytes:
    """A PDF of one page with this text."""
    content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = io.BytesIO(), list[int]()
    out.write(b"%PDF-1.4\n")
    for number, each in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, each))
    start = out.tell()
    out.write(b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()
