"""What every test may use: one real PostgreSQL a session, a fresh tenant a test, the shipped scripted reasoner."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from uuid import uuid4

import pytest

from pagemind.settings import Settings
from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing import Bench, bench
from pagemind.testing.vectors import HashEmbedder

# Torch's threads wait for each other by spinning. The tests' other processes want the cores, too; it is read when torch is
# loaded, here and in whatever is started from here.
os.environ.setdefault("GOMP_SPINCOUNT", "0")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server_home(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A home folder whose server runs for as long as the tests do."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("home"))
    server.join()
    yield server.home.folder
    server.leave()


@pytest.fixture
def settings(server_home: Path) -> Settings:
    """The session's server under a tenant of this test's own: nothing of another test can be seen."""
    return Settings(home=server_home, tenant_id=uuid4(), reasoner_url="demo", reasoner_retry_seconds=0.01)


@pytest.fixture
async def chat(settings: Settings) -> AsyncGenerator[Bench]:
    """A running runtime with a scripted reasoner and one agent; its vectors carry no meaning."""
    async with bench(settings, embedder=HashEmbedder()) as opened:
        yield opened
