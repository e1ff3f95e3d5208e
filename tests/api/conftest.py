"""A real server process on a real port, driven by the clients that people have; its reasoner is played by the test."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from letta_client import Letta

from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.served import Provider, Served, served
from pagemind.testing.shell import Shell


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """One server for all tests: each makes agents of its own."""
    home = tmp_path_factory.mktemp("served")
    database = EmbeddedPostgres(home)
    database.join()
    with served(Shell(home, tmp_path_factory.mktemp("empty"))) as running:
        yield running
    database.leave()


@pytest.fixture(scope="session")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """A server of its own whose operator lets tools from source run and commands of MCP servers start."""
    home = tmp_path_factory.mktemp("trusting")
    database = EmbeddedPostgres(home)
    database.join()
    shell = Shell(home, tmp_path_factory.mktemp("empty"))
    with served(shell.under(PAGEMIND_ALLOW_TOOL_SOURCE="true", PAGEMIND_ALLOW_MCP_STDIO="true")) as running:
        yield running
    database.leave()


@pytest.fixture
def provider(server: Served) -> Provider:
    """The reasoner that the server asks: ``provider.will(says("Hi."))``."""
    return server.provider


@pytest.fixture
def client(server: Served) -> Generator[Letta]:
    """The SDK that Letta's users have, unchanged."""
    with Letta(base_url=server.url, max_retries=0, timeout=30) as opened:
        yield opened
