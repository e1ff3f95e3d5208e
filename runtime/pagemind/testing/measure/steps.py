"""The runtime's own time per step: from the end of one model call to the beginning of the next."""

from __future__ import annotations

import asyncio
import itertools
import statistics
from dataclasses import dataclass
from time import perf_counter, process_time
from uuid import uuid4

from pagemind.engine.runtime import Runtime
from pagemind.settings import Settings
from pagemind.testing.measure.workload import TURNS, InstantReasoner
from pagemind.testing.runtime import make_agent
from pagemind.testing.vectors import HashEmbedder

SEEDS = {"persona": "I measure.", "human": "Name: Ada.\n", "notes": "Nothing yet."}


@dataclass(frozen=True)
class StepFigures:
    """Milliseconds are the runtime's own between two model calls: act, persist, read, compile; compactions are in them.

    ``cpu_ms`` is this process' processor time over the steps of all agents: what a step costs when they share a process.
    """

    agents: int
    steps: int
    median_ms: float
    p95_ms: float
    accept_to_model_ms: float
    cpu_ms: float
    steps_per_second: float
    prompt_messages: float


async def step_figures(settings: Settings, *, agents: int, rounds: int) -> StepFigures:
    """Let ``agents`` agents carry ``rounds`` runs each, at once, after a run each to warm up; under a fresh tenant."""
    own = settings.model_copy(update={"tenant_id": uuid4(), "workers": agents})
    reasoner = InstantReasoner()
    async with await Runtime.open(own, reasoner=reasoner, embedder=HashEmbedder()) as runtime:
        made = [await make_agent(runtime, f"agent-{number}", SEEDS, {}) for number in range(agents)]
        talks = [(await runtime.conversation(agent)).id for agent in made]
        await asyncio.gather(*(runtime.ask(talk, f"Task warm-up of agent {number}") for number, talk in enumerate(talks)))
        reasoner.calls.clear()
        reasoner.prompt_messages.clear()
        sent: dict[str, float] = {}

        async def work(number: int) -> None:
            for turn in range(rounds):
                task = f"Task {turn} of agent {number}"
                sent[task] = perf_counter()
                await runtime.ask(talks[number], task)

        began, cpu_began = perf_counter(), process_time()
        await asyncio.gather(*(work(number) for number in range(agents)))
        seconds, cpu_seconds = perf_counter() - began, process_time() - cpu_began
    return figures(reasoner, sent, agents=agents, seconds=seconds, cpu_seconds=cpu_seconds)


def figures(
    reasoner: InstantReasoner, sent: dict[str, float], *, agents: int, seconds: float, cpu_seconds: float
) -> StepFigures:
    """Reduce the times of the model calls."""
    steps = sum(len(calls) for calls in reasoner.calls.values())
    assert steps == len(sent) * (len(TURNS) + 1), "a run did not go as the workload says"
    gaps = [(after[0] - before[1]) * 1000 for calls in reasoner.calls.values() for before, after in itertools.pairwise(calls)]
    first = [(calls[0][0] - sent[task]) * 1000 for task, calls in reasoner.calls.items()]
    return StepFigures(
        agents=agents,
        steps=steps,
        median_ms=statistics.median(gaps),
        p95_ms=statistics.quantiles(gaps, n=20)[-1],
        accept_to_model_ms=statistics.median(first),
        cpu_ms=cpu_seconds * 1000 / steps,
        steps_per_second=steps / seconds,
        prompt_messages=statistics.median(reasoner.prompt_messages),
    )
