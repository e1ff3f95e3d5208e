"""Many agents of one definition in turn on one server: what they share is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from pagemind.engine.runtime import Runtime
from pagemind.model.discover import find_reasoner
from pagemind.settings import Settings
from pagemind.testing.measure.prefix.directed import DirectedReasoner
from pagemind.testing.measure.prefix.script import static_text, write_script
from pagemind.testing.measure.prefix.sizes import Size
from pagemind.testing.measure.prefix.talk import Heard, Told, agent_of, say, share_of, window_of
from pagemind.testing.vectors import HashEmbedder

NAME = "gardener"


@dataclass(frozen=True)
class CrowdFigures:
    """``first_cached`` has, for each agent after the first, the cached tokens of its first call: static text and no more."""

    agents: int
    turns: int
    static_tokens: int
    first_cached: Sequence[int]
    shared_share: float
    """Static tokens that came from the cache in the first calls, over all that there were; blocks are cached whole only."""
    cached_share: float
    """Of all prompts of all turns."""


async def crowd(settings: Settings, size: Size, told: Told) -> CrowdFigures:
    """Let the agents have a turn each, in turn, several times; under a fresh tenant."""
    own = settings.model_copy(update={"tenant_id": uuid4()})
    reasoner = DirectedReasoner(await find_reasoner(own))
    async with await Runtime.open(own, reasoner=reasoner, embedder=HashEmbedder()) as runtime:
        static = await static_text(runtime.kernel, size, NAME)
        names = [f"{NAME}-{number}" for number in range(size.agents)]
        scripts = [
            await write_script(runtime.kernel, size, static, name, edit_every=0, turns=size.agent_turns) for name in names
        ]
        talks = [
            await runtime.new_conversation(await agent_of(runtime, name, script, {}, window_of(size), size))
            for name, script in zip(names, scripts, strict=True)
        ]
        for turn in range(size.agent_turns):
            for number, (conversation, script) in enumerate(zip(talks, scripts, strict=True)):
                reasoner.play(script)
                await say(runtime, conversation, script.turns[turn], Heard())
                told(turn * size.agents + number + 1, size.agent_turns * size.agents)
    first = [call.cached_tokens for call in reasoner.calls[1 : size.agents]]
    shared = sum(min(cached, static.tokens) for cached in first)
    return CrowdFigures(
        agents=size.agents,
        turns=size.agent_turns,
        static_tokens=static.tokens,
        first_cached=first,
        shared_share=shared / (static.tokens * len(first)),
        cached_share=share_of(reasoner.calls),
    )
