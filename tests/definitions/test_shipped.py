"""Every shipped agent runs on the demo reasoner."""

import pytest

from pagemind.definitions.loader import Source, load
from pagemind.engine.apply import apply
from pagemind.engine.runtime import Runtime
from pagemind.settings import Settings, content_folder
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio

SHIPPED = load([content_folder() / "agents"], {})


@pytest.mark.parametrize("source", SHIPPED, ids=lambda source: source.definition.name)
async def test_a_shipped_agent_archives_what_it_is_told_and_finds_it_again(source: Source, settings: Settings) -> None:
    async with await Runtime.open(settings, embedder=HashEmbedder()) as runtime:
        await apply(runtime.kernel.database, [source])
        agent = await runtime.agent(source.definition.name)
        assert set(agent.tools) <= set(runtime.kernel.registry)
        conversation = await runtime.new_conversation(agent)
        await runtime.ask(conversation.id, "Remember that the kiln in Porto opens in May.")
        assert await runtime.ask(conversation.id, "What do you know about the kiln in Porto?")
        shown = [block.value for block in await runtime.memory.blocks(agent)]
        found = [hit.text for hit in await runtime.memory.search_archive(agent, "kiln Porto")]
        assert any("kiln" in text for text in shown + found)
