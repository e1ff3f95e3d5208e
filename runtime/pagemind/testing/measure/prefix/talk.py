"""A conversation through the whole runtime, and what the server's cache served of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from uuid import uuid4

from pagemind.engine.policy import policy_of
from pagemind.engine.runtime import Runtime
from pagemind.errors import RunFailed
from pagemind.events import RunEnded, StepEnded
from pagemind.memory.pager import Budget
from pagemind.model.discover import find_reasoner
from pagemind.records import Agent, Conversation, Json, RunState
from pagemind.settings import Settings
from pagemind.store import paging
from pagemind.testing.measure.prefix.counters import CacheCounters, cache_counters
from pagemind.testing.measure.prefix.directed import Call, DirectedReasoner
from pagemind.testing.measure.prefix.script import Script, Turn, static_text, write_script
from pagemind.testing.measure.prefix.sizes import Size
from pagemind.testing.runtime import make_agent
from pagemind.testing.vectors import HashEmbedder

QUIET_SECONDS = 1.0
"""The runtime pages out between runs a moment after one has ended: so long no call begins, and it has nothing to do."""
POLL_SECONDS = 0.02
SHARES = 10_000
FULL = Budget(window_tokens=SHARES, reserve_tokens=0).early / SHARES
"""The share of the window at which the oldest exchanges are paged out between two runs, by default."""
NAME = "agent-0"

Told = Callable[[int, int], None]
"""Hears how many turns are done, of how many."""


@dataclass(frozen=True)
class Layout:
    """How a conversation is laid out: an agent's ``memory`` section."""

    name: str
    memory: Json
    edit_every: int


PAGEMIND = Layout("write-back", {}, edit_every=5)
EVERY_TURN = Layout("write-back, an edit in every turn", {}, edit_every=1)
WRITE_THROUGH = Layout("write-through", {"write_policy": "write_through"}, edit_every=5)
ONE_AT_A_TIME: Json = {
    "write_policy": "write_through",
    "high_watermark": FULL,
    "early_watermark": FULL,
    "low_watermark": FULL - 0.001,
    "summary_tokens": 32,
}
NAIVE = Layout("naive: rewritten at once, one turn paged out at a time", ONE_AT_A_TIME, edit_every=5)


@dataclass(frozen=True)
class TalkFigures:
    """One conversation. Tokens are the server's: ``queries`` looked up in its cache, ``hits`` found there, in all calls.

    ``recomputed_tokens_per_call`` books what background calls (summaries, warming) cost on the calls of turns;
    ``recomputed_tokens_per_any_call`` spreads it over all calls.
    """

    layout: str
    turns: int
    edits: int
    calls: Mapping[str, int]
    queries: int
    hits: int
    cached_share: float
    recomputed_tokens_per_call: float
    recomputed_tokens_per_any_call: float
    recomputed_tokens_per_turn: float
    recomputed_by_kind: Mapping[str, int]
    """By the usage of each call; in sum what the counters say, where the server reports usage."""
    static_tokens: int
    tools: int
    """How many stand in the static tokens."""
    block_tokens: int
    window_tokens: int
    longest_prompt: int
    epochs: Mapping[str, int]
    """How many began, by cause."""
    prefixes: Mapping[str, int]
    """How many steps began how, beside the prompt before (``memory.prefix.Verdict``)."""
    counts: CountFigures
    shares: Sequence[float]
    """The cached share of the calls of each turn, and of what came between it and the next."""
    seconds: float


@dataclass(frozen=True)
class CountFigures:
    """The runtime's own count of each prompt, before the call, against the server's ``usage.prompt_tokens``."""

    calls: int
    equal: int
    largest_difference: int
    corrected: int
    """Calls whose count was put right by what the server had reported for the call before."""


@dataclass
class Heard:
    """What the conversation's events told."""

    prefixes: Counter[str] = field(default_factory=Counter[str])
    longest_prompt: int = 0
    ended_at_tokens: int = 0

    def note(self, event: StepEnded) -> None:
        """A step has ended."""
        self.prefixes[event.prefix] += 1
        self.longest_prompt = max(self.longest_prompt, event.prompt_tokens)
        self.ended_at_tokens = event.context_tokens


async def talk(settings: Settings, size: Size, layout: Layout, told: Told) -> TalkFigures:
    """Have the conversation under a fresh tenant, whose prompts share no cache with any other's."""
    own = settings.model_copy(update={"tenant_id": uuid4()})
    reasoner = DirectedReasoner(await find_reasoner(own))
    async with await Runtime.open(own, reasoner=reasoner, embedder=HashEmbedder()) as runtime:
        static = await static_text(runtime.kernel, size, NAME)
        script = await write_script(runtime.kernel, size, static, NAME, edit_every=layout.edit_every, turns=size.turns)
        reasoner.play(script)
        agent = await agent_of(runtime, NAME, script, layout.memory, window_of(size), size)
        return await Talk(runtime, reasoner, agent, script, layout, told).figures()


def window_of(size: Size) -> int:
    """A window whose oldest exchanges are paged out, by the default watermarks, when the history has its size."""
    return round(size.full_tokens / FULL)


async def agent_of(runtime: Runtime, name: str, script: Script, memory: Json, window_tokens: int, size: Size) -> Agent:
    """The agent of a script."""
    model = {"window_tokens": window_tokens, "max_reply_tokens": size.reply_tokens}
    static = script.static
    return await make_agent(runtime, name, script.seeds, memory, static.tools, instructions=static.instructions, model=model)


class Talk:
    """One conversation going on."""

    def __init__(
        self, runtime: Runtime, reasoner: DirectedReasoner, agent: Agent, script: Script, layout: Layout, told: Told
    ) -> None:
        self._runtime = runtime
        self._reasoner = reasoner
        self._agent = agent
        self._script = script
        self._layout = layout
        self._told = told
        self._heard = Heard()
        self._budget = policy_of(agent, reasoner).budget

    async def figures(self) -> TalkFigures:
        """Go through all turns and reduce what was counted."""
        conversation = await self._runtime.new_conversation(self._agent)
        url, since = self._reasoner.url, perf_counter()
        before = await cache_counters(url)
        firsts: list[int] = []
        for number, turn in enumerate(self._script.turns):
            firsts.append(len(self._reasoner.calls))
            await say(self._runtime, conversation, turn, self._heard)
            await self._pause()
            self._told(number + 1, len(self._script.turns))
        counted = (await cache_counters(url)).since(before)
        return self._reduced(counted, firsts, await self._epochs(conversation), perf_counter() - since)

    async def _pause(self) -> None:
        """Give the runtime the time between two turns that people give it, where there is something to do in it."""
        if self._heard.ended_at_tokens <= self._budget.early:
            return
        calls, quiet_since = len(self._reasoner.calls), perf_counter()
        while perf_counter() - quiet_since < QUIET_SECONDS:
            await asyncio.sleep(POLL_SECONDS)
            if self._reasoner.under_way or len(self._reasoner.calls) > calls:
                calls, quiet_since = len(self._reasoner.calls), perf_counter()
            if calls and self._reasoner.calls[-1].kind == "warm" and not self._reasoner.under_way:
                return

    async def _epochs(self, conversation: Conversation) -> Mapping[str, int]:
        async with self._runtime.kernel.database.transaction() as session:
            return Counter(epoch.cause for epoch in await paging.epochs(session, conversation.id))

    def _reduced(self, counted: CacheCounters, firsts: Sequence[int], epochs: Mapping[str, int], seconds: float) -> TalkFigures:
        calls, script = self._reasoner.calls, self._script
        kinds = Counter[str](call.kind for call in calls)
        by_kind = Counter[str]()
        for call in calls:
            by_kind[call.kind] += call.prompt_tokens - call.cached_tokens
        turns = [calls[first:end] for first, end in zip(firsts, [*firsts[1:], len(calls)], strict=True)]
        return TalkFigures(
            layout=self._layout.name,
            turns=len(script.turns),
            edits=script.edits,
            calls=dict(kinds),
            queries=counted.queries,
            hits=counted.hits,
            cached_share=counted.share,
            recomputed_tokens_per_call=counted.recomputed / kinds["step"],
            recomputed_tokens_per_any_call=counted.recomputed / len(calls),
            recomputed_tokens_per_turn=counted.recomputed / len(script.turns),
            recomputed_by_kind=dict(by_kind),
            static_tokens=script.static.tokens,
            tools=len(script.static.tools),
            block_tokens=script.block_tokens,
            window_tokens=self._budget.window_tokens,
            longest_prompt=self._heard.longest_prompt,
            epochs=dict(epochs),
            prefixes=dict(self._heard.prefixes),
            counts=count_figures(calls),
            shares=[share_of(of_turn) for of_turn in turns],
            seconds=seconds,
        )


async def say(runtime: Runtime, conversation: Conversation, turn: Turn, heard: Heard) -> None:
    """Send a turn's input and follow its run to the end. RunFailed where it does not end well."""
    run = await runtime.accept(conversation.id, turn.input)
    async for event in runtime.follow(run.id):
        match event:
            case StepEnded():
                heard.note(event)
            case RunEnded(state=RunState.failed | RunState.cancelled, stop_reason=reason, error=error):
                raise RunFailed(str(error or ""), reason=reason)
            case _:
                pass


def share_of(calls: Sequence[Call]) -> float:
    """The cached share of the prompts of calls."""
    prompts = sum(call.prompt_tokens for call in calls)
    return sum(call.cached_tokens for call in calls) / prompts if prompts else 0.0


def count_figures(calls: Sequence[Call]) -> CountFigures:
    """Our counts beside the server's, over the calls whose prompts are counted beforehand."""
    off = [call.off_by for call in calls if call.off_by is not None]
    return CountFigures(
        calls=len(off),
        equal=off.count(0),
        largest_difference=max(map(abs, off), default=0),
        corrected=sum(call.off_by is not None and call.correction_tokens != 0 for call in calls),
    )
