"""A server that is told to stop while it works, and the one after it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from letta_client import Letta

from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.openai_server import says
from pagemind.testing.served import Provider, address
from pagemind.testing.shell import Shell


@pytest.fixture
def provider() -> Generator[Provider]:
    played = Provider()
    played.start()
    yield played
    played.stop()


@pytest.fixture
def shell(tmp_path: Path, provider: Provider) -> Generator[Shell]:
    home = tmp_path / "home"
    database = EmbeddedPostgres(home)
    database.join()
    settings = {"PAGEMIND_REASONER_URL": provider.url, "PAGEMIND_SERVE_DRAIN_SECONDS": "1"}
    yield Shell(home, tmp_path, settings)
    database.leave()


def stopped(process: subprocess.Popen[bytes]) -> float:
    """Tell it to stop; the seconds that it took."""
    began = time.monotonic()
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0
    return time.monotonic() - began


def started(shell: Shell) -> tuple[subprocess.Popen[bytes], str]:
    process = shell.start("serve", "--port", "0")
    return process, address(process)


SLOWLY = says("one two three four five six seven eight nine ten", seconds=0.5)
USER: Any = [{"role": "user", "content": "Count."}]


def test_a_run_that_a_stopped_server_left_goes_on_in_the_next(shell: Shell, provider: Provider) -> None:
    process, url = started(shell)
    provider.will(SLOWLY)
    with Letta(base_url=url, max_retries=0, timeout=30) as client:
        agent = client.agents.create(name="counter", model="openai-proxy/m")
        run = client.agents.messages.create_async(agent.id, messages=USER)
        wait_for(lambda: len(provider.asked) == 1)
    assert stopped(process) < 10
    provider.will(says("Ten."))
    process, url = started(shell)
    with Letta(base_url=url, max_retries=0, timeout=30) as client:
        wait_for(lambda: client.runs.retrieve(run.id).status == "completed")
        said = [message.message_type for message in client.agents.messages.list(agent.id)]
        assert said.count("user_message") == 1
        assert said.count("assistant_message") == 1
    stopped(process)


def test_a_stream_is_cut_off_after_a_moment_and_its_run_goes_on_in_the_next_server(shell: Shell, provider: Provider) -> None:
    process, url = started(shell)
    provider.will(SLOWLY)
    with Letta(base_url=url, max_retries=0, timeout=30) as client:
        agent = client.agents.create(name="counter", model="openai-proxy/m").id
    with httpx.stream("POST", f"{url}/v1/agents/{agent}/messages/stream", json={"messages": USER}, timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("data: ")
        assert "pagemind_http_open_streams 1.0" in httpx.get(f"{url}/metrics").text
        assert stopped(process) < 10
        with pytest.raises(httpx.TransportError):
            list(lines)
    provider.will(says("Ten."))
    process, url = started(shell)
    with Letta(base_url=url, max_retries=0, timeout=30) as client:
        wait_for(lambda: [run.status for run in client.runs.list(agent_id=agent)] == ["completed"])
    stopped(process)


def test_a_tenants_run_goes_on_in_the_next_server_before_anybody_asks(shell: Shell, provider: Provider) -> None:
    key = shell.json("keys", "create", "--tenant", "acme", "--json")["key"]
    process, url = started(shell)
    provider.will(SLOWLY)
    with Letta(base_url=url, api_key=key, max_retries=0, timeout=30) as client:
        agent = client.agents.create(name="counter", model="openai-proxy/m")
        run = client.agents.messages.create_async(agent.id, messages=USER)
        wait_for(lambda: len(provider.asked) == 1)
    stopped(process)
    provider.will(says("Ten."))
    process, url = started(shell)
    wait_for(lambda: len(provider.asked) == 1)
    with Letta(base_url=url, api_key=key, max_retries=0, timeout=30) as client:
        wait_for(lambda: client.runs.retrieve(run.id).status == "completed")
    stopped(process)


def wait_for(so: Callable[[], bool]) -> None:
    """Return once it is so."""
    until = time.monotonic() + 20
    while not so():
        assert time.monotonic() < until
        time.sleep(0.1)
