"""Agents made from files, seen and changed over the API."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from letta_client import APIStatusError, Letta

from pagemind.settings import content_folder
from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.openai_server import says
from pagemind.testing.served import Served, served
from pagemind.testing.shell import Shell

FILE = str(content_folder() / "agents" / "assistant.yaml")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder of the server and of the command line."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def shell(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The command line of whoever runs the server."""
    return Shell(home, tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="module")
def running(home: Path, shell: Shell) -> Generator[Served]:
    """A server, with the assistant applied from its file."""
    database = EmbeddedPostgres(home)
    database.join()
    with served(shell) as server:
        shell.ok("apply", FILE, "--yes")
        server.provider.will(says("Hello."))
        yield server
    database.leave()


def test_an_agent_from_a_file_is_listed_and_talked_to(running: Served) -> None:
    with Letta(base_url=running.url, max_retries=0) as client:
        [agent] = client.agents.list(name="assistant", include=["agent.blocks", "agent.tools"])
        assert agent.agent_type == "letta_v1_agent"
        assert [block.label for block in agent.blocks] == ["persona", "human"]
        assert len(agent.tools) == 8
        answer = client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Hello."}])
        assert answer.stop_reason.stop_reason == "end_turn"


def test_a_block_that_the_file_has_the_last_word_on_is_read_only(running: Served) -> None:
    with Letta(base_url=running.url, max_retries=0) as client:
        [agent] = client.agents.list(name="assistant")
        assert client.agents.blocks.retrieve("persona", agent_id=agent.id).read_only is True
        with pytest.raises(APIStatusError) as refused:
            client.agents.blocks.update("persona", agent_id=agent.id, value="Somebody else.")
        assert refused.value.status_code == 400
        assert "pagemind apply" in str(refused.value.body)
        assert client.agents.blocks.update("human", agent_id=agent.id, value="Name: Bo").value == "Name: Bo"


def test_a_change_over_the_api_is_a_drift_that_the_plan_tells_and_an_apply_keeps(running: Served, shell: Shell) -> None:
    assert "kept" not in shell.run("plan", FILE).stdout
    with Letta(base_url=running.url, max_retries=0) as client:
        [agent] = client.agents.list(name="assistant")
        changed = client.agents.update(agent.id, system="You are somebody else.", context_window_limit=9000, tags=["new"])
        assert (changed.system, changed.llm_config.context_window) == ("You are somebody else.", 9000)
        told = shell.run("plan", FILE).stdout
        for field in ("instructions", "model.window_tokens", "tags", "kept"):
            assert field in told
        shell.ok("apply", FILE, "--yes")
        assert client.agents.retrieve(agent.id).system == "You are somebody else."
