"""The first turn of somebody who waits, sent behind many calls that nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from pagemind.engine.runtime import Runtime
from pagemind.errors import RunFailed
from pagemind.events import CallStarted, ReasoningDelta, RunEnded, TextDelta
from pagemind.model.discover import find_reasoner
from pagemind.model.reasoner import Reasoner
from pagemind.records import Completion, Conversation, Prompt, PromptMessage, RunState
from pagemind.settings import Settings
from pagemind.testing.measure.prefix.directed import DirectedReasoner
from pagemind.testing.measure.prefix.script import Turn, static_text, write_script
from pagemind.testing.measure.prefix.sizes import Size
from pagemind.testing.measure.prefix.talk import Told, agent_of, window_of
from pagemind.testing.vectors import HashEmbedder

NAME = "visitor"
HEAD_START_SECONDS = 0.5
"""Between the background calls and the turn: they are all with the server by then, or wait for a place."""
ALL_PLACES = 1_000
SCHEDULED = Path("/proc/self/schedstat")
"""Linux: nanoseconds on a processor, nanoseconds ready to run without one, time slices; of the main thread."""


@dataclass(frozen=True)
class Mode:
    """How the background calls are made."""

    name: str
    background: bool
    places: int | None
    """How many of them may be with the server at a time; None: the runtime's own cap."""


MODES = (
    Mode("without priority", background=False, places=None),
    Mode("with priority", background=True, places=ALL_PLACES),
    Mode("with priority and fewer places than slots, as shipped", background=True, places=None),
)


@dataclass(frozen=True)
class Wait:
    """How long somebody waited, from sending an input to the first piece of the reply, and to the end of the run."""

    mode: str
    first_piece_seconds: float
    whole_seconds: float
    background_ahead: int
    """Background calls that had not ended when the turn was sent."""
    background_done: int
    """Those that had when the run had ended."""
    starved_seconds: float
    """Of the first piece's time, how long this process was ready to run and had no processor: not the queue's doing."""


@dataclass(frozen=True)
class BehindFigures:
    """``waits`` by mode; ``alone`` is the same turn with nothing else on the server."""

    background_calls: int
    background_tokens: int
    alone: Wait
    waits: Sequence[Wait]


async def behind(settings: Settings, size: Size, told: Told) -> BehindFigures:
    """Measure the wait in each mode, the least disturbed of some tries, and with nothing to wait behind."""
    alone = await waited(settings, size, Mode("alone", background=True, places=None), calls=0)
    waits: list[Wait] = []
    for number, mode in enumerate(MODES):
        tries: list[Wait] = []
        for _ in range(size.background_tries):
            tries.append(await waited(settings, size, mode, calls=size.background_calls))
            told(number * size.background_tries + len(tries), len(MODES) * size.background_tries)
        waits.append(cleanest(tries))
    return BehindFigures(size.background_calls, size.background_tokens, alone, waits)


def cleanest(tries: Sequence[Wait]) -> Wait:
    """The try that had most to wait behind, and of those the one that the machine disturbed least."""
    return min(tries, key=lambda wait: (-wait.background_ahead, wait.starved_seconds))


def starved() -> float:
    """Seconds that this process has been ready to run without a processor, since it began; 0 where the system does not tell."""
    return int(SCHEDULED.read_text().split()[1]) / 1e9 if SCHEDULED.exists() else 0.0


async def waited(settings: Settings, size: Size, mode: Mode, *, calls: int) -> Wait:
    """Fill the server with background calls, then take the time of a turn; under a fresh tenant."""
    own = settings.model_copy(update={"tenant_id": uuid4()})
    if mode.places is not None:
        own = own.model_copy(update={"reasoner_background_calls": mode.places})
    crowd = await find_reasoner(own)
    reasoner = DirectedReasoner(await find_reasoner(own))
    async with await Runtime.open(own, reasoner=reasoner, embedder=HashEmbedder()) as runtime:
        static = await static_text(runtime.kernel, size, NAME)
        script = await write_script(runtime.kernel, size, static, NAME, edit_every=0, turns=1)
        reasoner.play(script)
        conversation = await runtime.new_conversation(await agent_of(runtime, NAME, script, {}, window_of(size), size))
        tasks = [asyncio.create_task(drained(crowd, prompt)) for prompt in prompts(size, mode, calls)]
        try:
            await asyncio.sleep(HEAD_START_SECONDS if tasks else 0)
            ahead = sum(not task.done() for task in tasks)
            first, whole, lost = await turn_of(runtime, conversation, script.turns[0])
            done = sum(task.done() for task in tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await crowd.close()
    return Wait(mode.name, first, whole, ahead, done, lost)


def prompts(size: Size, mode: Mode, calls: int) -> list[Prompt]:
    """Background prompts, each unlike the others; the temperature keeps random weights from ending their replies early."""
    return [
        Prompt(
            messages=(PromptMessage("user", f"Job {number}: write down all that you know of number {number}."),),
            max_reply_tokens=size.background_tokens,
            temperature=0.0,
            background=mode.background,
            affinity=f"job-{number}",
        )
        for number in range(calls)
    ]


async def drained(reasoner: Reasoner, prompt: Prompt) -> int:
    """Have the whole reply; how many tokens it had."""
    tokens = 0
    async for piece in reasoner.stream(prompt):
        if isinstance(piece, Completion):
            tokens = piece.usage.completion_tokens or 0
    return tokens


async def turn_of(runtime: Runtime, conversation: Conversation, turn: Turn) -> tuple[float, float, float]:
    """Seconds of a turn, to its first piece and to its end, and those of the former without a processor."""
    since, first, starved_before, lost = perf_counter(), 0.0, starved(), 0.0
    run = await runtime.accept(conversation.id, turn.input)
    async for event in runtime.follow(run.id):
        match event:
            case TextDelta() | ReasoningDelta() | CallStarted():
                if not first:
                    first, lost = perf_counter() - since, starved() - starved_before
            case RunEnded(state=RunState.failed | RunState.cancelled, stop_reason=reason, error=error):
                raise RunFailed(str(error or ""), reason=reason)
            case _:
                pass
    return first, perf_counter() - since, lost
