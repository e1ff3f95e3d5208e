"""What came of the questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from pagemind.testing.measure.staleness.cases import Case, Kind, Verdict

Z = 1.96
"""Of the normal distribution, for 95 %."""


@dataclass(frozen=True)
class Interval:
    """A share, or a difference of two, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Answered:
    """One question under one policy. ``renewed``: the snapshot had been rendered anew before it, so that nothing was stale."""

    case: Case
    policy: str
    answer: str
    verdict: Verdict
    renewed: bool


@dataclass(frozen=True)
class Report:
    """All answers, by policy in the order of the cases."""

    model: str
    filler_turns: int
    write_back: Sequence[Answered]
    write_through: Sequence[Answered]

    @property
    def difference(self) -> Interval:
        """The accuracy under write-back less that under write-through."""
        return difference(accuracy(self.write_back), accuracy(self.write_through))

    @property
    def right_under_one(self) -> tuple[int, int]:
        """Questions answered rightly under write-back only, and under write-through only."""
        pairs = [
            (a.verdict == Verdict.right, b.verdict == Verdict.right)
            for a, b in zip(self.write_back, self.write_through, strict=True)
        ]
        return pairs.count((True, False)), pairs.count((False, True))

    def figures(self) -> dict[str, Any]:
        """As one JSON object."""
        back_only, through_only = self.right_under_one
        return {
            "model": self.model,
            "questions": len(self.write_back),
            "filler_turns": self.filler_turns,
            "write_back": policy_figures(self.write_back),
            "write_through": policy_figures(self.write_through),
            "difference": asdict(self.difference),
            "right_under_write_back_only": back_only,
            "right_under_write_through_only": through_only,
            "answers": [answer_figures(each) for each in (*self.write_back, *self.write_through)],
        }


def policy_figures(answered: Sequence[Answered]) -> dict[str, Any]:
    """The figures of one policy."""
    return {
        "accuracy": asdict(accuracy(answered)),
        **verdicts(answered),
        "renewed_before_the_question": sum(each.renewed for each in answered),
        "by_kind": {str(kind): asdict(accuracy(of)) for kind in Kind if (of := of_kind(answered, kind))},
    }


def answer_figures(each: Answered) -> dict[str, str]:
    """One answer."""
    return {"case": each.case.name, "policy": each.policy, "verdict": str(each.verdict), "answer": each.answer}


def verdicts(answered: Sequence[Answered]) -> Mapping[str, int]:
    """How many answers were what."""
    counted = Counter(each.verdict for each in answered)
    return {str(verdict): counted[verdict] for verdict in Verdict}


def of_kind(answered: Sequence[Answered], kind: Kind) -> list[Answered]:
    """The answers to the cases of one kind."""
    return [each for each in answered if each.case.kind == kind]


def accuracy(answered: Sequence[Answered]) -> Interval:
    """The share of right answers."""
    return wilson(sum(each.verdict == Verdict.right for each in answered), len(answered))


def wilson(hits: int, of: int) -> Interval:
    """A share with its score interval (E. B. Wilson, 1927)."""
    if not of:
        return Interval(0.0, 0.0, 1.0)
    share = hits / of
    middle = (share + Z**2 / (2 * of)) / (1 + Z**2 / of)
    half = Z / (1 + Z**2 / of) * sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def difference(one: Interval, other: Interval) -> Interval:
    """The difference of two shares with its interval from theirs (R. G. Newcombe, 1998, method 10).

    It takes the shares for independent; ours are of the same questions, so the true interval is rather narrower.
    """
    value = one.value - other.value
    down = sqrt((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
    up = sqrt((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    return Interval(value, value - down, value + up)
