"""``pagemind embedder`` as a person uses it, beside a server that runs, killed in the middle."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from letta_client import Letta

from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.served import served
from pagemind.testing.shell import Shell
from pagemind.testing.tiny_encoder import DIMENSIONS, build_encoder

TEXTS = 1500
MINILM = "all-MiniLM-L6-v2"
MOST_SECONDS = 90.0
FILL = """
WITH archive AS (
    INSERT INTO archives (tenant_id, id, name, description, extra, created_at, updated_at)
    SELECT tenant_id, gen_random_uuid(), 'things', '', '{}', now(), now() FROM agents LIMIT 1 RETURNING tenant_id, id
), attached AS (
    INSERT INTO agent_archives (tenant_id, agent_id, archive_id, position)
    SELECT a.tenant_id, a.id, archive.id, 0 FROM agents a, archive
)
INSERT INTO passages (tenant_id, id, archive_id, text, tags, source, evidence, extra, created_at)
SELECT tenant_id, gen_random_uuid(), id, 'Thing number ' || n || ' lies on shelf ' || n %% 17, '{}', '', '{}', '{}', now()
  FROM archive, generate_series(1, %s) AS n
"""


@pytest.fixture
def shell(tmp_path: Path) -> Generator[Shell]:
    """The command line on a home folder of its own, with an agent that has a few hundred passages."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    server = EmbeddedPostgres(home)
    server.join()
    (tmp_path / "empty").mkdir()
    made = Shell(home, tmp_path / "empty")
    made.ok("chat", "-p", "My name is Ada.")
    with connection(server) as database:
        database.execute(FILL, (TEXTS,))
    yield made
    server.leave()


def connection(server: EmbeddedPostgres) -> psycopg.Connection[tuple[object, ...]]:
    """A look behind the scenes, which sees every tenant."""
    url = server.superuser_url().set(database="pagemind", drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


def vectors(shell: Shell, model: str) -> int:
    return {each["model"]: each["vectors"] for each in shell.json("embedder", "list", "--json")["models"]}.get(model, 0)


def serving(client: Letta) -> str:
    """The embedder that the server names."""
    [model] = client.models.embeddings.list()
    return str(model.name)


def found(client: Letta) -> str:
    """The first passage for a query that is like one of them."""
    [agent] = client.agents.list()
    [first, *_] = client.passages.search(agent_id=agent.id, query="thing number 77 lies on shelf 9")
    return first.passage.text


def test_an_add_that_is_killed_goes_on_and_a_server_that_runs_follows_the_switch(shell: Shell, tmp_path: Path) -> None:
    tiny = str(build_encoder(tmp_path / "encoder", layers=8, dimensions=DIMENSIONS).resolve())
    adding = shell.start("embedder", "add", tiny)
    began = time.monotonic()
    with connection(EmbeddedPostgres(shell.home)) as database:
        count = 0
        while count == 0:
            assert adding.poll() is None, adding.communicate()
            assert time.monotonic() - began < MOST_SECONDS
            [(count,)] = database.execute(
                "SELECT count(*)::integer FROM passage_embeddings WHERE model = %s", (tiny,)
            ).fetchall()
        adding.kill()
    adding.communicate()
    left = vectors(shell, tiny)
    assert 0 < left < TEXTS
    refused = shell.run("embedder", "switch")
    assert refused.returncode == 1, refused.stdout
    assert re.search(r"\d+ texts have no vector", refused.stderr)
    assert "pagemind embedder add" in refused.stderr
    done = shell.json("embedder", "add", tiny, "--json")
    assert done["embedded"] <= TEXTS + 2 - left
    assert vectors(shell, tiny) == TEXTS + 2
    with served(shell) as server, Letta(base_url=server.url, max_retries=0, timeout=60) as client:
        assert serving(client) == MINILM
        assert found(client) == "Thing number 77 lies on shelf 9"
        assert shell.json("embedder", "switch", "--json")["serving"] == tiny
        began = time.monotonic()
        while serving(client) != Path(tiny).name:
            assert time.monotonic() - began < MOST_SECONDS
            assert found(client) == "Thing number 77 lies on shelf 9"
        assert found(client) == "Thing number 77 lies on shelf 9"
    states = {each["model"]: each["state"] for each in shell.json("embedder", "list", "--json")["models"]}
    assert states == {tiny: "serving", MINILM: "retired"}
