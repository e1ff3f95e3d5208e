"""Keys, as an operator makes them and as clients use them."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from letta_client import AuthenticationError, Letta, PermissionDeniedError

from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.served import Served, served
from pagemind.testing.shell import Shell

REVOKED_WITHIN_SECONDS = 10


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    home = tmp_path_factory.mktemp("keys")
    database = EmbeddedPostgres(home)
    database.join()
    yield Shell(home, tmp_path_factory.mktemp("empty"))
    database.leave()


@pytest.fixture(scope="module")
def keys(shell: Shell) -> dict[str, str]:
    """A key of each scope."""
    scopes = ("read", "chat", "admin", "tenant")
    return {scope: shell.json("keys", "create", "--name", f"my {scope}", "--scope", scope, "--json")["key"] for scope in scopes}


@pytest.fixture(scope="module")
def locked(shell: Shell, keys: dict[str, str]) -> Generator[Served]:
    """A server that needs keys."""
    with served(shell) as running:
        yield running


def client(server: Served, key: str) -> Letta:
    return Letta(base_url=server.url, api_key=key, max_retries=0, timeout=30)


def status(server: Served, headers: dict[str, str], path: str = "/v1/agents/") -> int:
    return httpx.get(server.url + path, headers=headers).status_code


def test_a_key_names_its_tenant_and_holds_256_random_bits(keys: dict[str, str]) -> None:
    for key in keys.values():
        assert re.fullmatch(r"pm_00000000000040008000000000000000_[A-Za-z0-9_-]{43}", key)
    assert len(set(keys.values())) == 4


def test_a_key_is_shown_once_and_stored_nowhere(shell: Shell, keys: dict[str, str], locked: Served) -> None:
    assert status(locked, {"Authorization": f"Bearer {keys['admin']}"}) == 200
    assert status(locked, {"Authorization": f"Bearer {keys['admin']}"}, "/v1/agents/agent-x") == 422
    assert keys["admin"] not in shell.ok("keys", "list") + shell.ok("keys", "list", "--json")
    secret = keys["admin"].split("_", 2)[2].encode()
    files = [path for path in shell.home.rglob("*") if path.is_file() and "postgres" not in path.parts]
    assert not [path for path in files if secret in path.read_bytes()]


def test_without_a_key_there_is_nothing_but_health(locked: Served) -> None:
    for path in ("/v1/health", "/v1/health/", "/v1/ready", "/livez", "/readyz", "/latest/health/"):
        assert status(locked, {}, path) == 200, path
    for path in (
        "/v1/agents/",
        "/v1/models",
        "/v1/models/",
        "/docs",
        "/openapi.json",
        "/metrics",
        "/",
        "/v1/nothing",
        "/livez/x",
    ):
        answer = httpx.get(locked.url + path)
        assert (answer.status_code, answer.json()) == (401, {"detail": "Unauthorized"}), path
        assert answer.headers["www-authenticate"] == "Bearer"
    with Letta(base_url=locked.url, max_retries=0) as nobody, pytest.raises(AuthenticationError):
        nobody.agents.list()


@pytest.mark.parametrize(
    "wrong",
    [
        "pm_00000000000040008000000000000000_" + "A" * 43,
        "pm_" + "f" * 32 + "_" + "A" * 43,
        "pm_",
        "pm_' OR 1=1 --",
        "letta",
        "pm_00000000000040008000000000000000_" + "A" * 44,
        "Ü" * 20,
    ],
)
def test_a_wrong_key_opens_nothing(locked: Served, wrong: str) -> None:
    answer = httpx.get(f"{locked.url}/v1/agents/", headers={b"Authorization": f"Bearer {wrong}".encode()})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Unauthorized"})


def test_a_key_comes_as_bearer_or_as_older_clients_send_it(locked: Served, keys: dict[str, str]) -> None:
    for name, value in (("Authorization", "Bearer {}"), ("authorization", "bearer {}"), ("X-BARE-PASSWORD", "password {}")):
        assert status(locked, {name: value.format(keys["read"])}) == 200
    assert status(locked, {"Authorization": f"Basic {keys['read']}"}) == 401
    assert status(locked, {"Cookie": f"key={keys['read']}"}) == 401
    assert httpx.get(f"{locked.url}/v1/agents/?api_key={keys['read']}").status_code == 401


def test_what_a_scope_does_not_hold_is_403_with_the_scope_that_is_missing(locked: Served, keys: dict[str, str]) -> None:
    with client(locked, keys["read"]) as reader, client(locked, keys["chat"]) as talker, client(locked, keys["admin"]) as admin:
        agent = admin.agents.create(name="scoped", model="openai-proxy/m")
        assert [each.id for each in reader.agents.list()] == [agent.id]
        with pytest.raises(PermissionDeniedError, match="scope 'admin'"):
            reader.agents.create(name="mine")
        with pytest.raises(PermissionDeniedError, match="scope 'chat'"):
            reader.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Hi."}])
        with pytest.raises(PermissionDeniedError, match="scope 'admin'"):
            talker.agents.delete(agent.id)
        with pytest.raises(PermissionDeniedError, match="scope 'admin'"):
            talker.agents.update(agent.id, name="other")
        assert [each.id for each in talker.agents.list()] == [agent.id]
        admin.agents.delete(agent.id)


def test_who_may_chat_may_chat(locked: Served, keys: dict[str, str]) -> None:
    for path in (
        "/v1/agents/agent-x/messages",
        "/v1/conversations/",
        "/v1/chat/completions",
        "/v1/agents/agent-x/messages/async",
    ):
        said = httpx.post(locked.url + path, json={}, headers={"Authorization": f"Bearer {keys['chat']}"}, timeout=20)
        assert said.status_code in (400, 404, 422), path


def test_metrics_are_the_operators(shell: Shell, locked: Served, keys: dict[str, str]) -> None:
    other = shell.json("keys", "create", "--tenant", "curious", "--json")["key"]
    seen = {key: status(locked, {"Authorization": f"Bearer {key}"}, "/metrics") for key in (keys["admin"], keys["read"], other)}
    assert list(seen.values()) == [200, 403, 403]


def test_a_revoked_key_opens_nothing_within_seconds(shell: Shell, locked: Served) -> None:
    made = shell.json("keys", "create", "--name", "short-lived", "--json")
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert status(locked, headers) == 200
    revoked = shell.json("keys", "revoke", made["id"][:13], "--yes", "--json")
    assert revoked["revoked_at"] is not None
    until = time.monotonic() + REVOKED_WITHIN_SECONDS
    while status(locked, headers) == 200:
        assert time.monotonic() < until
        time.sleep(0.5)
    assert status(locked, headers) == 401


def test_the_list_tells_what_a_key_is_for_and_when_it_was_used(shell: Shell, locked: Served, keys: dict[str, str]) -> None:
    made = shell.json("keys", "create", "--name", "told", "--scope", "read", "--scope", "chat", "--json")
    assert status(locked, {"Authorization": f"Bearer {made['key']}"}) == 200
    found: dict[str, Any] = next(each for each in shell.json("keys", "list", "--json") if each["id"] == made["id"])
    assert (found["name"], found["scopes"], found["tenant"], found["revoked_at"]) == ("told", ["chat", "read"], None, None)
    assert found["used_at"] is not None
    assert "digest" not in found
    assert "told" in shell.ok("keys", "list")


def test_mistakes_at_the_command_line_are_told_with_a_fix(shell: Shell, keys: dict[str, str]) -> None:
    unconfirmed = shell.run("keys", "revoke", shell.json("keys", "list", "--json")[0]["id"])
    assert (unconfirmed.returncode, "--yes" in unconfirmed.stderr) == (2, True)
    assert shell.run("keys", "revoke", "00000000-0000", "--yes").returncode == 2
    assert "error[not_an_id]" in shell.run("keys", "revoke", keys["read"], "--yes").stderr
    assert "error[unknown_tenant]" in shell.run("keys", "list", "--tenant", "nobody").stderr
    assert "error[bad_name]" in shell.run("keys", "create", "--tenant", "a\nb").stderr
    assert shell.run("keys", "create", "--scope", "root").returncode == 2


def test_without_keys_the_server_listens_on_loopback_only(tmp_path: Path) -> None:
    alone = Shell(tmp_path / "home", tmp_path)
    refused = alone.run("serve", "--host", "0.0.0.0", "--port", "0")
    assert (refused.returncode, "pagemind keys create" in refused.stderr) == (2, True)
    assert "Traceback" not in refused.stderr
    with served(alone) as running:
        assert status(running, {}) == 200
        made = alone.json("keys", "create", "--json")
        until = time.monotonic() + REVOKED_WITHIN_SECONDS
        while status(running, {}) == 200:
            assert time.monotonic() < until
            time.sleep(0.5)
        assert status(running, {"Authorization": f"Bearer {made['key']}"}) == 200


def test_with_a_key_the_server_may_listen_everywhere(shell: Shell, keys: dict[str, str]) -> None:
    with served(shell, "--host", "0.0.0.0") as running:
        url = running.url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{url}/v1/agents/").status_code == 401
        assert httpx.get(f"{url}/v1/agents/", headers={"Authorization": f"Bearer {keys['read']}"}).status_code == 200
        assert httpx.get(f"{url}/v1/health", headers={"Host": "10.0.0.7:8283"}).status_code == 200
        assert httpx.get(f"{url}/v1/health", headers={"Host": "evil.example"}).status_code == 421
