"""What a trial on a long conversation came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles
from typing import Any

from pagemind.testing.locomo.talk import ASKED_CATEGORIES, Question
from pagemind.testing.locomo.watch import Page

AT = (5, 10, 20)
STAGES = ("read", "compile", "reason", "act", "persist")


@dataclass(frozen=True)
class Found:
    """Something that a run's search gave back: its number (``#12``) or ``archive``, and the turns that it holds."""

    place: str
    text: str
    turns: tuple[str, ...]


@dataclass(frozen=True)
class Answered:
    """A question, what the searches of its run found, and what a bare search of the store finds (turns, the best first)."""

    question: Question
    tools: Sequence[str]
    found: Sequence[Found]
    bare: Sequence[str | None]
    answer: str

    @property
    def evidence_found(self) -> tuple[str, ...]:
        """The evidence that is among what was found."""
        turns = {turn for each in self.found for turn in each.turns}
        return tuple(turn for turn in self.question.evidence if turn in turns)

    @property
    def share(self) -> float:
        """The share of the evidence that was found."""
        return len(self.evidence_found) / len(self.question.evidence)

    def bare_share(self, first: int) -> float:
        """The share of the evidence among the first hits of the bare search."""
        turns = set(self.bare[:first])
        return sum(turn in turns for turn in self.question.evidence) / len(self.question.evidence)


@dataclass(frozen=True)
class StepTime:
    """Milliseconds of one step, the whole and by stage."""

    whole: float
    stages: Mapping[str, float]


@dataclass(frozen=True)
class Report:
    """The whole trial."""

    reasoner: str
    sessions: int
    turns: int
    answered: Sequence[Answered]
    context_tokens: Sequence[int]
    fed_steps: int
    """How many of the steps belong to the feeding; the rest answered questions."""
    window_tokens: int
    compactions: Sequence[Page]
    steps: Sequence[StepTime]
    cut_short: int
    messages: int
    seconds: float

    @property
    def evidence_found(self) -> float:
        """The share of evidence found, averaged over the questions."""
        return fmean_or_zero([each.share for each in self.answered])

    def bare_recall(self, first: int) -> float:
        """The same share among the first hits of a search with the bare question."""
        return fmean_or_zero([each.bare_share(first) for each in self.answered])

    def by_category(self) -> dict[str, tuple[int, float]]:
        """By the kind of question: how many, and the share of evidence found."""
        kinds = {
            number: [each.share for each in self.answered if each.question.category == number] for number in ASKED_CATEGORIES
        }
        return {ASKED_CATEGORIES[number]: (len(shares), fmean(shares)) for number, shares in kinds.items() if shares}

    def stage(self, name: str) -> list[float]:
        """The stage's milliseconds in every step that had it."""
        return [step.stages[name] for step in self.steps if name in step.stages]

    @property
    def own_share(self) -> float:
        """The share of the time of all steps that was not the reasoner's."""
        whole = sum(step.whole for step in self.steps)
        return 1 - sum(self.stage("reason")) / whole if whole else 0.0

    def figures(self) -> dict[str, Any]:
        """The figures as JSON values."""
        whole = [step.whole for step in self.steps]
        return {
            "reasoner": self.reasoner,
            "sessions": self.sessions,
            "turns": self.turns,
            "messages": self.messages,
            "compactions": len(self.compactions),
            "questions": len(self.answered),
            "evidence_found": round(self.evidence_found, 4),
            "evidence_found_by_category": {kind: round(share, 4) for kind, (_, share) in self.by_category().items()},
            **{f"recall_at_{first}": round(self.bare_recall(first), 4) for first in AT},
            "window_tokens": self.window_tokens,
            "max_context_tokens": max(self.context_tokens, default=0),
            "context_tokens": list(self.context_tokens),
            "compacted_before_step": [page.before_step for page in self.compactions],
            "steps": len(whole),
            "step_ms_median": round(middle(whole), 2),
            "step_ms_p95": round(high(whole), 2),
            "stage_ms_median": {name: round(middle(self.stage(name)), 2) for name in STAGES},
            "stage_ms_p95": {name: round(high(self.stage(name)), 2) for name in STAGES},
            "own_share": round(self.own_share, 4),
            "cut_short": self.cut_short,
            "seconds": round(self.seconds, 2),
        }


def middle(values: Sequence[float]) -> float:
    """The median; 0 of nothing."""
    return median(values) if values else 0.0


def high(values: Sequence[float]) -> float:
    """The 95th percentile; 0 of nothing."""
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else middle(values)


def fmean_or_zero(values: Sequence[float]) -> float:
    """The mean; 0 of nothing."""
    return fmean(values) if values else 0.0
