"""Another embedder takes over only when every text has its vector by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pagemind.engine.reembed import reembed
from pagemind.errors import EmbedderMismatch
from pagemind.settings import Settings
from pagemind.testing import bench
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio


async def test_reembedding_lets_another_model_serve(settings: Settings, server_home: Path) -> None:
    async with bench(settings, embedder=HashEmbedder()) as chat:
        chat.model.will("Good.")
        await chat.ask("My dentist is called Dr. Quill.")
        await chat.runtime.indexed()
    with pytest.raises(EmbedderMismatch):
        async with bench(settings):
            pass
    heard: list[tuple[int, int]] = []
    assert await reembed(settings, lambda done, total: heard.append((done, total))) == 2
    assert heard == [(2, 2)]
    async with bench(settings) as chat:
        # On a busy machine it may load longer than a search waits for its vector.
        await chat.runtime.kernel.embedder.embed(["warm"], kind="query")
        [first, *_] = await chat.memory.search_conversation(chat.conversation.id, "Who looks after my teeth?")
        assert "Dr. Quill" in first.content
        assert first.scores["vector"] > 0.3
