from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from uuid import uuid4

import pytest

from pagemind.settings import Settings
from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.openai_server import OpenAIServer, openai_server

from .world import Other, StartOther


@pytest.fixture
def start(tmp_path: Path) -> Generator[StartOther]:
    """Starts other processes; they are killed at the end."""
    started: list[Other] = []

    def start_other(settings: Settings, *job: str) -> Other:
        started.append(Other(settings, tmp_path / f"other{len(started)}.log", *job))
        return started[-1]

    yield start_other
    for other in started:
        other.close()


@pytest.fixture(scope="session")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A home whose server these tests may kill; it runs in between, so that not every test starts it anew."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("killed"))
    server.join()
    server.leave()
    yield server.home.folder
    server.join()
    server.leave()


@pytest.fixture
def own_settings(own_home: Path) -> Settings:
    return Settings(home=own_home, tenant_id=uuid4(), reasoner_url="demo", reasoner_retry_seconds=0.01)


@pytest.fixture
async def server() -> AsyncGenerator[OpenAIServer]:
    async with openai_server() as playing:
        yield playing
