"""A home folder with something wrong in it: another embedder's vectors, broken tools, tools of one name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pagemind.engine.runtime import Runtime
from pagemind.errors import EmbedderMismatch
from pagemind.model.embedder import Kind
from pagemind.settings import Settings
from pagemind.testing import bench, call
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio


class OtherName(HashEmbedder):
    name = "other-8"


class Wider(HashEmbedder):
    """The same name as before, and twice as many numbers."""

    dimensions = 16

    async def embed(self, texts: Sequence[str], *, kind: Kind) -> list[list[float]]:
        return [vector * 2 for vector in await super().embed(texts, kind=kind)]


async def test_an_embedder_of_another_name_is_refused_at_the_start(settings: Settings) -> None:
    async with bench(settings, embedder=HashEmbedder()) as chat:
        await chat.memory.insert(chat.agent, "The boat is called Petra.")
        await chat.runtime.indexed()
    with pytest.raises(EmbedderMismatch, match="hash-8"):
        await Runtime.open(settings, embedder=OtherName())


async def test_an_embedder_of_other_dimensions_changes_nothing_and_words_still_find(settings: Settings) -> None:
    async with bench(settings, embedder=HashEmbedder()) as chat:
        await chat.memory.insert(chat.agent, "The boat is called Petra.")
        await chat.runtime.indexed()
    async with bench(settings, embedder=Wider()) as chat:
        chat.model.will(
            call("archival_memory_insert", content="The cat is called Mia."),
            call("archival_memory_search", query="boat"),
            call("conversation_search", query="boat"),
            "Petra.",
        )
        assert await chat.ask("What is my boat called?") == "Petra."
        assert "Petra" in chat.model.prompts[2].messages[-1].content
        assert [hit.text for hit in await chat.memory.search_archive(chat.agent, "cat")] == ["The cat is called Mia."]
        with pytest.raises(EmbedderMismatch, match="8 dimensions"):
            await chat.runtime.indexed()
    async with bench(settings, embedder=HashEmbedder()) as chat:
        await chat.runtime.indexed()
        assert len(await chat.memory.search_archive(chat.agent, "called")) == 2


@pytest.fixture
def tools(server_home: Path) -> Path:
    folder = server_home / "tools"
    folder.mkdir(exist_ok=True)
    return folder


async def test_broken_tool_files_and_names_that_collide_stop_no_run(settings: Settings, tools: Path) -> None:
    files = {
        "broken.py": "def broken(:\n",
        "exits.py": "raise SystemExit(3)\n",
        "first.py": 'def twin() -> str:\n    """Say first."""\n    return "first"\n',
        "second.py": 'def twin() -> str:\n    """Say second."""\n    return "second"\n',
        "quits.py": 'def quits() -> str:\n    """Leave."""\n    raise SystemExit(3)\n',
        "huge.py": 'def huge() -> str:\n    """Say much."""\n    return "x" * 50_000_000\n',
    }
    for name, text in files.items():
        (tools / name).write_text(text)
    try:
        async with bench(settings, embedder=HashEmbedder()) as chat:
            chat.model.will([call("twin"), call("quits"), call("huge")], "Done.")
            assert await chat.ask("Try them all.") == "Done."
            *_, twin, quits, huge = chat.model.prompts[-1].messages
            assert twin.content == "first"
            assert "SystemExit" in quits.content
            assert len(huge.content) <= settings.tool_result_limit_chars
            assert len(chat.runtime.kernel.registry.problems) == 3
    finally:
        for name in files:
            (tools / name).unlink()
