"""MCP servers, as Letta's client registers and uses them: real ones, over streamable HTTP, over SSE, and as commands."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from letta_client import APIStatusError, ConflictError, Letta, NotFoundError, PermissionDeniedError, UnprocessableEntityError

from pagemind.testing.openai_server import calls, says
from pagemind.testing.served import Provider, Served

pytest.importorskip("mcp", reason="the package mcp is not installed: pip install 'pagemind[mcp]'")

PROGRAM = str(Path(__file__).with_name("mcp_programs.py"))
WORD = "Bearer sesame"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def program(kind: str, port: int) -> Generator[None]:
    """The server on that port until the block ends."""
    process = subprocess.Popen([sys.executable, PROGRAM, kind, str(port)])
    try:
        for _ in range(600):
            with socket.socket() as caller:
                if caller.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture(scope="module")
def http_url() -> Generator[str]:
    port = free_port()
    with program("streamable-http", port):
        yield f"http://127.0.0.1:{port}/mcp"


@pytest.fixture(scope="module")
def sse_url() -> Generator[str]:
    port = free_port()
    with program("sse", port):
        yield f"http://127.0.0.1:{port}/sse"


@pytest.fixture
def runner(trusting: Served) -> Generator[Letta]:
    with Letta(base_url=trusting.url, max_retries=0, timeout=60) as opened:
        yield opened


def unique(name: str = "server") -> str:
    return f"{name}_{uuid4().hex[:8]}"


def config(url: str, **more: Any) -> Any:
    return {"mcp_server_type": "streamable_http", "server_url": url, "auth_header": "Authorization", "auth_token": WORD, **more}


def registered(client: Letta, url: str, **more: Any) -> str:
    created: Any = client.mcp_servers.create(server_name=unique(), config=config(url, **more))
    return created.id


def tool_ids(client: Letta, server_id: str) -> dict[str, str]:
    """The ids of the server's tools by name, the numbers that other servers' tools pushed into them left out."""
    return {each.name or "": each.id for each in client.mcp_servers.tools.list(server_id)}


def id_of(client: Letta, server_id: str, name: str) -> str:
    """The id of the server's tool, whatever it is called here."""
    return next(found for own, found in tool_ids(client, server_id).items() if own == name or own.endswith(f"_{name}"))


def test_a_server_is_registered_and_its_tools_are_there(client: Letta, http_url: str) -> None:
    name = unique()
    server: Any = client.mcp_servers.create(server_name=name, config=config(http_url))
    assert server.id.startswith("mcp_server-")
    assert (server.server_name, server.mcp_server_type, server.server_url) == (name, "streamable_http", http_url)
    listed = client.mcp_servers.tools.list(server.id)
    add = next(tool for tool in listed if tool.id == id_of(client, server.id, "add"))
    assert (add.tool_type, add.description, add.tags) == ("external_mcp", "Add two numbers.", [f"mcp:{name}"])
    assert add.json_schema
    parameters: Any = add.json_schema["parameters"]
    assert parameters["properties"]["a"]["type"] == "integer"
    assert parameters["required"] == ["a"]
    assert client.tools.retrieve(add.id) == add
    assert client.mcp_servers.tools.retrieve(add.id, mcp_server_id=server.id) == add
    assert add.id in [tool.id for tool in client.tools.list(tool_types=["external_mcp"], limit=1000)]
    assert server.id in [each.id for each in client.mcp_servers.list()]


def test_what_authorises_us_is_never_given_back_and_still_works(client: Letta, http_url: str) -> None:
    server: Any = client.mcp_servers.create(
        server_name=unique(), config=config(http_url, custom_headers={"X-Key": "very secret"})
    )
    answers: list[Any] = [server, client.mcp_servers.retrieve(server.id), *client.mcp_servers.list()]
    for answer in answers:
        assert "sesame" not in answer.to_json()
        assert "very secret" not in answer.to_json()
    shown: Any = client.mcp_servers.retrieve(server.id)
    assert (shown.auth_header, shown.auth_token, shown.custom_headers) == ("Authorization", "********", {"X-Key": "********"})
    again: Any = config(http_url, auth_token=shown.auth_token, custom_headers=shown.custom_headers)
    client.mcp_servers.update(server.id, config=again)
    assert (
        client.mcp_servers.tools.run(id_of(client, server.id, "add"), mcp_server_id=server.id, args={"a": 1}).status
        == "success"
    )


def test_a_secret_does_not_follow_the_address_to_another_server(client: Letta, http_url: str) -> None:
    server_id = registered(client, http_url)
    moved = http_url.replace("127.0.0.1", "localhost")
    client.mcp_servers.update(server_id, config={"mcp_server_type": "streamable_http", "server_url": moved})
    shown: Any = client.mcp_servers.retrieve(server_id)
    assert shown.auth_token is None


def test_a_tool_is_run_without_a_model(client: Letta, http_url: str) -> None:
    server_id = registered(client, http_url)
    result = client.mcp_servers.tools.run(id_of(client, server_id, "add"), mcp_server_id=server_id, args={"a": 40})
    assert (result.status, result.func_return) == ("success", "42")
    failed = client.mcp_servers.tools.run(id_of(client, server_id, "fail"), mcp_server_id=server_id)
    assert failed.status == "error"
    assert "fail" in str(failed.func_return)
    wrong = client.mcp_servers.tools.run(id_of(client, server_id, "add"), mcp_server_id=server_id, args={"a": "x"})
    assert wrong.status == "error"


def test_calls_share_one_session(client: Letta, http_url: str) -> None:
    server_id = registered(client, http_url)
    tool = id_of(client, server_id, "process")
    returns = {client.mcp_servers.tools.run(tool, mcp_server_id=server_id).func_return for _ in range(3)}
    assert len(returns) == 1


def test_odd_and_taken_names_are_made_usable_and_still_reach_the_tool(client: Letta, http_url: str) -> None:
    server_id = registered(client, http_url)
    odd = client.mcp_servers.tools.run(id_of(client, server_id, "odd_name_with_signs"), mcp_server_id=server_id)
    assert odd.func_return == "odd"
    own = id_of(client, server_id, "memory_insert")
    assert client.mcp_servers.tools.run(own, mcp_server_id=server_id, args={"text": "x"}).func_return == "remote x"
    assert client.tools.retrieve(own).name != "memory_insert"


def test_the_model_calls_a_tool_of_a_server(client: Letta, provider: Provider, http_url: str) -> None:
    server_id = registered(client, http_url)
    tool = client.tools.retrieve(id_of(client, server_id, "add"))
    agent = client.agents.create(model="openai/gpt-4o-mini", tool_ids=[tool.id])
    provider.will(calls(tool.name or "", a=40), says("It is 42."))
    messages = client.agents.messages.create(agent.id, input="Add 40 and 2.").messages
    returned: Any = next(message for message in messages if message.message_type == "tool_return_message")
    assert (returned.status, returned.tool_return) == ("success", "42")
    ran = client.agents.tools.run(tool.name or "", agent_id=agent.id, args={"a": 1})
    assert (ran.status, ran.func_return) == ("success", "3")


def test_refresh_follows_what_the_server_offers(client: Letta) -> None:
    port = free_port()
    with program("streamable-http", port):
        server_id = registered(client, f"http://127.0.0.1:{port}/mcp")
        agent = client.agents.create(model="openai/gpt-4o-mini", tool_ids=list(tool_ids(client, server_id).values()))
        fail = client.tools.retrieve(id_of(client, server_id, "fail")).name or ""
        client.mcp_servers.tools.run(id_of(client, server_id, "grow"), mcp_server_id=server_id)
        synced: Any = client.mcp_servers.refresh(server_id)
        assert synced["deleted"] == [fail]
        assert len(synced["added"]) == 1
        assert synced["updated"] == []
        assert fail not in tool_ids(client, server_id)
        assert fail not in [tool.name for tool in client.agents.tools.list(agent.id, limit=50)]
        assert (
            client.mcp_servers.tools.run(id_of(client, server_id, "grown"), mcp_server_id=server_id, args={"a": 1}).func_return
            == "3"
        )


def test_a_server_that_was_started_again_is_found_again(client: Letta) -> None:
    port = free_port()
    with program("streamable-http", port):
        server_id = registered(client, f"http://127.0.0.1:{port}/mcp")
        tool = id_of(client, server_id, "add")
        assert client.mcp_servers.tools.run(tool, mcp_server_id=server_id, args={"a": 1}).func_return == "3"
    with pytest.raises(APIStatusError) as caught:
        client.mcp_servers.tools.run(tool, mcp_server_id=server_id, args={"a": 1})
    assert caught.value.status_code == 502
    with program("streamable-http", port):
        assert client.mcp_servers.tools.run(tool, mcp_server_id=server_id, args={"a": 2}).func_return == "4"


def test_a_server_that_is_not_there_is_registered_and_says_so_when_asked(client: Letta) -> None:
    server_id = registered(client, f"http://127.0.0.1:{free_port()}/mcp?key=hidden")
    assert client.mcp_servers.tools.list(server_id) == []
    with pytest.raises(APIStatusError) as caught:
        client.mcp_servers.refresh(server_id)
    assert caught.value.status_code == 502
    error = caught.value.response.json()["error"]
    assert error["type"] == "mcp_connection_error"
    assert "hidden" not in str(error)


@pytest.mark.parametrize("path", ["/elsewhere", "/endless", "/nothing"])
def test_redirects_and_endless_or_strange_answers_are_failures(client: Letta, http_url: str, path: str) -> None:
    server_id = registered(client, http_url.replace("/mcp", path))
    with pytest.raises(APIStatusError) as caught:
        client.mcp_servers.refresh(server_id)
    assert caught.value.status_code == 502


def test_the_wrong_word_is_a_failure_without_the_word(client: Letta, http_url: str) -> None:
    server_id = registered(client, http_url, auth_token="Bearer wrongword")
    with pytest.raises(APIStatusError) as caught:
        client.mcp_servers.refresh(server_id)
    assert caught.value.status_code == 502
    assert "wrongword" not in caught.value.response.text


def test_the_older_transport_works_too(client: Letta, sse_url: str) -> None:
    server: Any = client.mcp_servers.create(
        server_name=unique(), config={"mcp_server_type": "sse", "server_url": sse_url, "auth_token": "sesame"}
    )
    assert server.mcp_server_type == "sse"
    result = client.mcp_servers.tools.run(id_of(client, server.id, "add"), mcp_server_id=server.id, args={"a": 1, "b": 1})
    assert result.func_return == "2"


def test_commands_are_not_started_unless_the_operator_allows_it(client: Letta) -> None:
    command: Any = {"mcp_server_type": "stdio", "command": "true", "args": []}
    with pytest.raises(PermissionDeniedError, match="PAGEMIND_ALLOW_MCP_STDIO"):
        client.mcp_servers.create(server_name=unique(), config=command)


def test_a_command_is_a_server_where_the_operator_allows_it(runner: Letta) -> None:
    command: Any = {
        "mcp_server_type": "stdio", "command": sys.executable, "args": [PROGRAM, "stdio"], "env": {"WORD": "open sesame"},
    }  # fmt: skip
    server: Any = runner.mcp_servers.create(server_name=unique(), config=command)
    assert (server.command, server.args, server.env) == (sys.executable, [PROGRAM, "stdio"], {"WORD": "********"})
    read = id_of(runner, server.id, "environment")
    asked = {name: runner.mcp_servers.tools.run(read, mcp_server_id=server.id, args={"name": name}).func_return
             for name in ("WORD", "PAGEMIND_HOME")}  # fmt: skip
    assert asked == {"WORD": "open sesame", "PAGEMIND_HOME": "-"}
    process = Path("/proc") / str(
        runner.mcp_servers.tools.run(id_of(runner, server.id, "process"), mcp_server_id=server.id).func_return
    )
    runner.mcp_servers.delete(server.id)
    assert not process.exists()


def test_a_command_that_ends_at_once_is_a_failure(runner: Letta) -> None:
    for command in ("false", "/nowhere/at/all"):
        wanted: Any = {"mcp_server_type": "stdio", "command": command, "args": []}
        server: Any = runner.mcp_servers.create(server_name=unique(), config=wanted)
        with pytest.raises(APIStatusError) as caught:
            runner.mcp_servers.refresh(server.id)
        assert caught.value.status_code == 502


def test_a_server_is_renamed_and_deleted_with_its_tools(client: Letta, http_url: str) -> None:
    server_id, new = registered(client, http_url), unique("renamed")
    tool = id_of(client, server_id, "add")
    agent = client.agents.create(model="openai/gpt-4o-mini", tool_ids=[tool])
    changed: Any = client.mcp_servers.update(server_id, server_name=new, config={"mcp_server_type": "streamable_http"})  # pyright: ignore
    assert (changed.server_name, changed.server_url) == (new, http_url)
    assert client.tools.retrieve(tool).tags == [f"mcp:{new}"]
    client.mcp_servers.delete(server_id)
    with pytest.raises(NotFoundError):
        client.mcp_servers.retrieve(server_id)
    with pytest.raises(NotFoundError):
        client.tools.retrieve(tool)
    assert tool not in [each.id for each in client.agents.tools.list(agent.id)]


def test_names_are_taken_once(client: Letta, http_url: str) -> None:
    name = unique()
    client.mcp_servers.create(server_name=name, config=config(http_url))
    with pytest.raises(ConflictError):
        client.mcp_servers.create(server_name=name, config=config(http_url))


def test_unknown_servers_and_tools_are_not_found(client: Letta, http_url: str) -> None:
    nobody, server_id = f"mcp_server-{uuid4()}", registered(client, http_url)
    [foreign] = client.tools.list(name="memory_insert")
    for attempt in (
        lambda: client.mcp_servers.retrieve(nobody),
        lambda: client.mcp_servers.delete(nobody),
        lambda: client.mcp_servers.refresh(nobody),
        lambda: client.mcp_servers.tools.list(nobody),
        lambda: client.mcp_servers.tools.retrieve(foreign.id, mcp_server_id=server_id),
        lambda: client.mcp_servers.tools.run(f"tool-{uuid4()}", mcp_server_id=server_id),
    ):
        with pytest.raises(NotFoundError):
            attempt()
    with pytest.raises(UnprocessableEntityError):
        client.mcp_servers.retrieve("mcp_server-1")


@pytest.mark.parametrize(
    "bad",
    [
        {"mcp_server_type": "bogus"},
        {"mcp_server_type": "streamable_http"},
        {"mcp_server_type": "streamable_http", "server_url": "ftp://127.0.0.1/mcp"},
        {"mcp_server_type": "streamable_http", "server_url": "http://"},
        {"mcp_server_type": "sse", "server_url": "http://[::1/"},
        {"mcp_server_type": "sse", "server_url": "http://x:99999/"},
        {"mcp_server_type": "sse", "server_url": "http://x/", "custom_headers": {"a b": "c"}},
        {"mcp_server_type": "sse", "server_url": "http://x/", "custom_headers": {"a": "c\r\nd: e"}},
        {"mcp_server_type": "sse", "server_url": "http://x/", "auth_token": "ä"},
    ],
)
def test_bad_configurations_are_refused(client: Letta, bad: Any) -> None:
    with pytest.raises(UnprocessableEntityError):
        client.mcp_servers.create(server_name=unique(), config=bad)


def test_a_tool_of_a_server_may_ask_for_approval_but_keeps_its_shape(client: Letta, http_url: str) -> None:
    server_id = registered(client, http_url)
    tool = id_of(client, server_id, "add")
    changed = client.tools.update(tool, default_requires_approval=True, json_schema={"name": "other", "parameters": {}})
    assert changed.default_requires_approval is True
    assert changed.name != "other"
    with pytest.raises(ConflictError):
        client.tools.upsert(source_code=f'def {changed.name}():\n    """D."""\n')


def test_the_run_endpoint_takes_a_body_without_arguments(server: Served, client: Letta, http_url: str) -> None:
    server_id = registered(client, http_url)
    address = f"{server.url}/v1/mcp-servers/{server_id}/tools/{id_of(client, server_id, 'process')}/run"
    assert httpx.post(address, timeout=30).json()["status"] == "success"
