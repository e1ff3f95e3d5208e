"""Page faults with and without ``memory.keep_tokens``: the same conversation twice, through the whole runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

from pagemind.engine.paging import PagingReport
from pagemind.engine.runtime import Runtime
from pagemind.model.embedder import Embedder
from pagemind.settings import Settings
from pagemind.testing.measure.fault_talk import OpenBookReasoner, Popularity, facts, questions, tellings
from pagemind.testing.runtime import make_agent
from pagemind.testing.vectors import WordEmbedder

Told = Callable[[str], None]
POPULARITIES: tuple[Popularity, ...] = ("zipf", "uniform")


@dataclass(frozen=True)
class Size:
    """How much is told and asked, in how small a window, and what ``keep_tokens`` is tried beside 0."""

    facts: int = 60
    questions: int = 200
    window_tokens: int = 2048
    keep_tokens: int = 200


QUICK = Size(facts=24, questions=24, window_tokens=1536, keep_tokens=100)


@dataclass(frozen=True)
class Arm:
    """One conversation. Everything ``per_`` question is of the questions alone, which come after the telling."""

    popularity: Popularity
    keep_tokens: int
    questions: int
    right: int
    """Answered with the value that was told."""
    searched: int
    """Questions whose answer was not in view: the misses."""
    faults: int
    fault_tokens: int
    model_calls: int
    prompt_tokens: int
    compactions: int
    """Over the whole conversation."""
    kept_messages: float
    """How many stayed in view after a compaction, on average."""
    fault_rate: float | None
    """Page faults within 20 turns, for each message paged out."""

    @property
    def miss_share(self) -> float:
        """The share of questions that needed a search."""
        return self.searched / self.questions

    def figures(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "miss_share": self.miss_share}


@dataclass(frozen=True)
class Figures:
    """Both arms of one popularity."""

    without: Arm
    keeping: Arm

    def ratio(self, of: Callable[[Arm], float]) -> float | None:
        """What keeping makes of it: less than 1 is less of it. None where there was none without."""
        return of(self.keeping) / of(self.without) if of(self.without) else None

    def figures(self) -> dict[str, Any]:
        """As one JSON object."""
        names = ("searched", "faults", "fault_tokens", "model_calls", "prompt_tokens", "compactions")
        ratios = {name: self.ratio(lambda arm, name=name: getattr(arm, name)) for name in names}
        return {"without": self.without.figures(), "keeping": self.keeping.figures(), "ratios": ratios}


async def fault_figures(
    settings: Settings, size: Size, seed: int, told: Told, *, embedder: type[WordEmbedder] | None = None
) -> dict[str, Figures]:
    """All four conversations, each under a tenant of its own: by popularity, without and with keeping.

    ``embedder`` takes the place of the configured one.
    """
    found: dict[str, Figures] = {}
    for popularity in POPULARITIES:
        arms: list[Arm] = []
        for keep_tokens in (0, size.keep_tokens):
            told(f"{size.questions} questions of {popularity} popularity, keep_tokens {keep_tokens}")
            arms.append(await one_arm(settings, size, popularity, keep_tokens, seed, embedder() if embedder else None))
        found[popularity] = Figures(*arms)
    return found


async def one_arm(
    settings: Settings, size: Size, popularity: Popularity, keep_tokens: int, seed: int, embedder: Embedder | None
) -> Arm:
    """Tell all facts, then ask."""
    own = settings.model_copy(update={"tenant_id": uuid4()})
    known = facts(size.facts, seed)
    # Nothing is paged out early: whether a pause is long enough for that depends on the machine.
    memory = {"summary_tokens": 64, "keep_tokens": keep_tokens, "early_watermark": 1.0}
    async with await Runtime.open(own, reasoner=OpenBookReasoner(size.window_tokens), embedder=embedder) as runtime:
        agent = await make_agent(runtime, "open-book", {"persona": "I answer."}, memory, tools=["conversation_search"])
        talk = (await runtime.conversation(agent)).id
        for text in tellings(known, seed):
            await runtime.ask(talk, text)
        before = await runtime.paging(talk)
        right = 0
        for fact in questions(known, size.questions, popularity, seed + 1):
            await runtime.indexed()  # else what a search finds depends on the machine, too
            right += await runtime.ask(talk, fact.question) == fact.statement
        return arm(before, await runtime.paging(talk), size, popularity, keep_tokens, right)


def arm(before: PagingReport, after: PagingReport, size: Size, popularity: Popularity, keep_tokens: int, right: int) -> Arm:
    """What the questions came to."""
    steps = after.steps.steps - before.steps.steps
    kept = [len(each.epoch.kept) for each in after.epochs if each.epoch]
    return Arm(
        popularity=popularity,
        keep_tokens=keep_tokens,
        questions=size.questions,
        right=right,
        searched=steps - size.questions,
        faults=after.faults - before.faults,
        fault_tokens=after.fault_tokens - before.fault_tokens,
        model_calls=steps,
        prompt_tokens=after.steps.prompt_tokens - before.steps.prompt_tokens,
        compactions=len(kept),
        kept_messages=sum(kept) / len(kept) if kept else 0.0,
        fault_rate=after.fault_rate,
    )
