"""Health, metrics, the start and the end of a server."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from pathlib import Path

import httpx
import pytest
from letta_client import Letta

from pagemind import __version__
from pagemind.store.cluster import server_pid
from pagemind.store.embedded import EmbeddedPostgres
from pagemind.store.home import Home
from pagemind.testing.openai_server import says
from pagemind.testing.served import Provider, Served, address, served
from pagemind.testing.shell import Shell

BACK_WITHIN_SECONDS = 40
PATIENCE_SECONDS = 60


def samples(text: str) -> dict[str, float]:
    """Prometheus' text format, as name with labels -> value."""
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_the_sdk_finds_the_server_healthy(client: Letta) -> None:
    health = client.health()
    assert (health.status, health.version) == ("ok", __version__)


@pytest.mark.parametrize(
    "path", ["/v1/health", "/v1/health/", "/latest/health/", "/v1/ready", "/v1/ready/", "/livez", "/readyz"]
)
def test_it_says_that_it_lives_and_can_work(server: Served, path: str) -> None:
    answer = httpx.get(server.url + path, follow_redirects=False)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_metrics_name_what_prometheus_asks_for(server: Served, client: Letta, provider: Provider) -> None:
    provider.will(says("Hello."))
    agent = client.agents.create(name="counted", model="openai-proxy/m", memory_blocks=[{"label": "human", "value": "x"}])
    client.agents.list()
    answer = httpx.get(f"{server.url}/metrics", timeout=PATIENCE_SECONDS)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for name in (
        "pagemind_runs_total", "pagemind_run_duration_seconds", "pagemind_time_to_first_token_seconds",
        "pagemind_context_used_tokens", "pagemind_paged_out_messages_total", "pagemind_page_faults_total",
        "pagemind_memory_writes_total", "pagemind_searches_total", "pagemind_unfinished_runs", "pagemind_http_requests_total",
        "pagemind_http_request_duration_seconds", "pagemind_http_open_requests", "pagemind_http_open_streams",
    ):  # fmt: skip
        assert re.search(rf"^# TYPE {name} ", answer.text, re.MULTILINE), name
    counted = samples(answer.text)
    assert counted['pagemind_http_requests_total{method="GET",route="/v1/agents",status="200"}'] >= 1
    assert not [name for name in counted if agent.id in name]


def test_metrics_have_few_series_whatever_is_asked_for(server: Served) -> None:
    for number in range(20):
        httpx.get(f"{server.url}/v1/nothing-{number}", timeout=PATIENCE_SECONDS)
        httpx.request(f"METHOD{number}", f"{server.url}/v1/agents/", timeout=PATIENCE_SECONDS)
    text = httpx.get(f"{server.url}/metrics", timeout=PATIENCE_SECONDS).text
    assert "nothing-" not in text
    assert "METHOD" not in text


def test_the_pages_of_the_server_load_nothing_from_elsewhere(server: Served) -> None:
    page = httpx.get(f"{server.url}/", follow_redirects=True, timeout=PATIENCE_SECONDS)
    assert page.url.path == "/docs"
    assert "/v1/agents" in page.text
    assert not re.findall(r"https?://|<script|src=", page.text)
    described = httpx.get(f"{server.url}/openapi.json", timeout=PATIENCE_SECONDS).json()
    assert described["info"] == {**described["info"], "title": "Pagemind", "version": __version__}
    assert "/v1/agents" in described["paths"]


def test_a_port_that_is_taken_is_one_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = Shell(tmp_path / "home", tmp_path).run("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 3
    assert "error[port_taken]" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_not_of_this_machine_is_one_clear_error(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "home", tmp_path)
    for host in ("192.0.2.1", "no such host"):
        done = shell.run("serve", "--host", host, "--port", "0")
        assert (done.returncode, "error[unknown_address]" in done.stderr) == (2, True)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_stops_in_order(tmp_path: Path, sign: signal.Signals) -> None:
    process = Shell(tmp_path / "home", tmp_path).start("serve", "--port", "0")
    url = address(process)
    with httpx.Client(base_url=url) as kept_alive:
        assert kept_alive.get("/v1/health").status_code == 200
        process.send_signal(sign)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"Traceback" not in out + err
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/v1/health")


def test_it_greets_with_what_one_needs_to_know(tmp_path: Path) -> None:
    process = Shell(tmp_path / "home", tmp_path).start("serve", "--port", "0")
    url = address(process)
    assert process.stdout is not None
    greeting = ""
    while "Ctrl-C" not in greeting:
        greeting += process.stdout.readline().decode()
    process.terminate()
    process.communicate(timeout=60)
    for words in ("none yet: POST", "demo reasoner", "none yet", f"{url}/docs"):
        assert words in greeting


def test_as_json_each_request_is_a_line_without_what_was_said(tmp_path: Path) -> None:
    process = Shell(tmp_path / "home", tmp_path).start("serve", "--port", "0", "--json")
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    answer = httpx.get(f"{url}/v1/agents/?name=secret", headers={"Authorization": "Bearer secret"})
    process.terminate()
    lines = process.communicate(timeout=60)[0].decode()
    line = json.loads(lines.splitlines()[0])
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/agents", 200)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in lines


def test_while_the_store_is_away_everything_is_503_and_then_it_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with served(Shell(home, tmp_path)) as running:
        assert httpx.get(f"{running.url}/readyz").status_code == 200
        version = home / "postgres" / "PG_VERSION"
        found = version.read_text()
        try:
            version.write_text("1\n")  # so that it cannot be started again
            pid = server_pid(Home(home.resolve()))
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            ready = httpx.get(f"{running.url}/readyz", timeout=30)
            assert (ready.status_code, ready.json()["missing"]) == (503, ["the store does not answer"])
            for method, path in (("GET", "/v1/agents/"), ("POST", "/v1/blocks/"), ("GET", "/v1/models")):
                body = {"label": "a", "value": "b"} if method == "POST" else None
                away = httpx.request(method, running.url + path, json=body, timeout=30)
                assert (away.status_code, away.headers["retry-after"]) == (503, "2"), path
                assert "Traceback" not in away.text
            assert httpx.get(f"{running.url}/livez").status_code == 200
        finally:
            version.write_text(found)
        until = time.monotonic() + BACK_WITHIN_SECONDS
        while httpx.get(f"{running.url}/readyz", timeout=30).status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert httpx.get(f"{running.url}/v1/agents/").status_code == 200


def test_the_terminal_works_beside_a_running_server_on_the_same_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    shell = Shell(home, tmp_path)
    database = EmbeddedPostgres(home)
    database.join()
    try:
        with served(shell) as running, Letta(base_url=running.url, max_retries=0, timeout=30) as client:
            assert "Ada" in shell.ok("chat", given="my name is Ada\nwhat is my name?\n")
            known = {agent.name: agent.id for agent in client.agents.list()}
            assert "assistant" in known
            blocks = client.agents.blocks.list(known["assistant"])
            assert any("Ada" in block.value for block in blocks)
            client.agents.blocks.update("human", agent_id=known["assistant"], value="Name: Bea.")
            assert "Bea" in shell.ok("memory", "blocks", "assistant")
    finally:
        database.leave()
