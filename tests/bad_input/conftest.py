from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from pagemind.model.discover import find_reasoner
from pagemind.settings import Settings
from pagemind.testing import Bench, bench
from pagemind.testing.openai_server import OpenAIServer, openai_server
from pagemind.testing.vectors import HashEmbedder


@pytest.fixture
async def server() -> AsyncGenerator[OpenAIServer]:
    async with openai_server() as playing:
        yield playing


@pytest.fixture
async def impatient(settings: Settings, server: OpenAIServer) -> AsyncGenerator[Bench]:
    """A runtime that thinks with whatever ``server`` plays, soon loses patience and asks three times in all."""
    quick = {
        "reasoner_url": server.url,
        "reasoner_silence_seconds": 0.3,
        "reasoner_connect_seconds": 0.5,
        "reasoner_retries": 2,
    }
    asked = settings.model_copy(update=quick)
    async with bench(asked, reasoner=await find_reasoner(asked), embedder=HashEmbedder()) as opened:
        yield opened
