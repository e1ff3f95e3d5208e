from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pagemind.settings import Settings
from pagemind.testing.openai_server import OpenAIServer, openai_server


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with openai_server() as playing:
        yield playing


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, reasoner_silence_seconds=0.4, reasoner_connect_seconds=0.4, reply_limit_chars=10_000)
