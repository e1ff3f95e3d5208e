"""Guards, over a raw socket where a client would not let one do it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.openai_server import says
from pagemind.testing.served import Served, served
from pagemind.testing.shell import Shell

LIMIT = 20_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    folder = tmp_path_factory.mktemp("guarded")
    database = EmbeddedPostgres(folder)
    database.join()
    yield folder
    database.leave()


@pytest.fixture(scope="module")
def small(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """A server with small limits and short patience."""
    settings = {
        "PAGEMIND_REQUEST_LIMIT_BYTES": str(LIMIT),
        "PAGEMIND_SERVE_BODY_SECONDS": "1",
        "PAGEMIND_SERVE_HEADER_SECONDS": "1",
        "PAGEMIND_SERVE_REQUESTS": "3",
        "PAGEMIND_QUEUE_LIMIT": "2",
        "PAGEMIND_SERVE_HOSTS": "agents.example",
        "PAGEMIND_SERVE_ORIGINS": "https://chat.example",
    }
    with served(Shell(home, tmp_path_factory.mktemp("empty"), settings)) as running:
        yield running


def connect(server: Served) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def ask(server: Served, raw: bytes) -> bytes:
    """What comes back until the server closes."""
    with connect(server) as connection:
        connection.sendall(raw)
        return everything(connection)


def everything(connection: socket.socket) -> bytes:
    parts: list[bytes] = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def get(path: str = "/v1/agents/", **headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "connection: close", "", ""]
    return "\r\n".join(lines).encode()


def trickle(connection: socket.socket) -> int:
    """Send a header every tenth of a second until the server closes; how many that were."""
    connection.settimeout(0.1)
    for sent in range(100):
        try:
            connection.sendall(b"x-a: b\r\n")
            if connection.recv(1000) == b"":
                return sent
        except TimeoutError:
            continue
        except OSError:
            return sent
    return 100


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.1.2.3:8283", "", "localhost@evil.example"])
def test_a_request_under_a_strange_name_is_refused(small: Served, host: str) -> None:
    assert ask(small, get(host=host)).startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize(
    "host", ["localhost:1", "127.0.0.1", "[::1]:8283", "agents.example", "LOCALHOST", "pagemind.localhost"]
)
def test_a_request_under_a_name_of_its_own_is_answered(small: Served, host: str) -> None:
    assert ask(small, get("/v1/health", host=host)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9", "http://127.0.0.1.evil.example"])
def test_a_strangers_page_is_refused_even_to_look(small: Served, origin: str) -> None:
    answer = httpx.get(f"{small.url}/v1/health", headers={"Origin": origin})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_the_server_itself_and_one_that_is_named_may_ask(small: Served) -> None:
    own = httpx.get(f"{small.url}/v1/health", headers={"Origin": small.url})
    assert own.status_code == 200
    named = httpx.get(f"{small.url}/v1/health", headers={"Origin": "https://chat.example"})
    assert named.headers["access-control-allow-origin"] == "https://chat.example"
    asked = {"Origin": "https://chat.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-a"}
    before = httpx.options(f"{small.url}/v1/agents/", headers=asked)
    assert before.status_code == 204
    assert before.headers["access-control-allow-headers"] == "x-a"
    assert "POST" in before.headers["access-control-allow-methods"]


def test_every_answer_has_its_number_and_security_headers(small: Served) -> None:
    first, second = (httpx.get(f"{small.url}/v1/nothing") for _ in range(2))
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in first.headers["content-security-policy"]
    assert "server" not in first.headers


def test_a_body_beyond_the_limit_is_413_announced_or_in_chunks(small: Served) -> None:
    body = json.dumps({"name": "x" * LIMIT}).encode()
    announced = httpx.post(f"{small.url}/v1/agents/", content=body, headers={"content-type": "application/json"})
    assert announced.status_code == 413
    chunked = httpx.post(
        f"{small.url}/v1/agents/", content=(body[at : at + 1000] for at in range(0, len(body), 1000)), timeout=20
    )
    assert chunked.status_code == 413
    assert f"{LIMIT:,}" in chunked.json()["detail"]


def test_a_body_that_does_not_come_is_408_in_time(small: Served) -> None:
    began = time.monotonic()
    head = b"POST /v1/agents/ HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    with connect(small) as connection:
        connection.sendall(head)
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 10


def test_a_head_that_trickles_is_cut_off(small: Served) -> None:
    began = time.monotonic()
    with connect(small) as connection:
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n")
        assert trickle(connection) < 100
    assert time.monotonic() - began < 10


def test_a_connection_that_says_nothing_is_closed(small: Served) -> None:
    with connect(small) as connection:
        assert connection.recv(100) == b""


def test_a_head_that_never_ends_is_431_or_cut_off(small: Served) -> None:
    with connect(small) as connection:
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n")
        answer = b""
        try:
            for _ in range(100):
                connection.sendall(b"x-filler: " + b"a" * 8000 + b"\r\n")
                time.sleep(0.005)
            answer = everything(connection)
        except OSError:
            return
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_one_request_more_than_may_be_answered_at_a_time_is_429_with_retry_after(small: Served) -> None:
    half = b"POST /v1/agents/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"
    waiting = [connect(small) for _ in range(3)]
    try:
        for connection in waiting:
            connection.sendall(half)
        time.sleep(0.3)
        answer = httpx.get(f"{small.url}/v1/health")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    finally:
        for connection in waiting:
            connection.close()
    time.sleep(0.3)
    assert httpx.get(f"{small.url}/v1/health").status_code == 200


def test_more_runs_in_the_background_than_may_wait_are_429_with_retry_after(small: Served) -> None:
    small.provider.will(says("one two three", seconds=0.5))
    agent = httpx.post(f"{small.url}/v1/agents/", json={"name": "busy", "model": "openai-proxy/m"}, timeout=20).json()["id"]
    body = {"messages": [{"role": "user", "content": "Count."}]}
    answers = [httpx.post(f"{small.url}/v1/agents/{agent}/messages/async", json=body, timeout=20) for _ in range(8)]
    taken = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(taken) + len(refused) == 8
    assert min(len(taken), len(refused)) >= 2
    assert "retry-after" in refused[0].headers
    assert "QUEUE_LIMIT" in refused[0].json()["detail"]
    # No reply may be under way when the module's server ends.
    small.provider.will(says("Hello."))
    until = time.monotonic() + 30
    for run in (answer.json() for answer in taken):
        while httpx.get(f"{small.url}/v1/runs/{run['id']}", timeout=20).json()["status"] in ("created", "running"):
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.mark.parametrize(
    "path",
    ["/v1/agents/%00", "/v1/agents/?name=a%00b", "/v1/blocks/?label=%00", "/v1/agents/agent-%00", "/v1/tags/?name=%0000"],
)
def test_a_nul_never_reaches_the_store(small: Served, path: str) -> None:
    assert httpx.get(small.url + path).status_code == 422


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: localhost\r\n\r\n",
        b"GET \xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /v1/agents/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/agents/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_the_server_stands(small: Served, raw: bytes) -> None:
    answer = ask(small, raw)
    assert answer == b"" or answer.split(b" ")[1][:1] == b"4"
    assert httpx.get(f"{small.url}/v1/health").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 9_000,
        b"\xff\xfe\xfd",
        b'{"name": NaN}',
        b'{"name": ' + b"9" * 8_000 + b"}",
        b'{"name": "\\ud800"}',
        b'{"name": "a\\u0000b"}',
        b'{"name": "\\\\u0000"}',
        b'"text"',
        b"null",
        b"",
    ],
)
def test_no_body_at_all_is_a_fault_of_the_servers(small: Served, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    for path in ("/v1/agents/", "/v1/blocks/", "/v1/tools/", "/v1/chat/completions", "/v1/passages/search"):
        assert httpx.post(small.url + path, content=body, headers=headers, timeout=20).status_code < 500
