"""Confidence intervals of means by the bootstrap (Efron 1979), paired where two rankings answer the same questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 2_000
LOW, HIGH = 2.5, 97.5
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A value, and the 95 % interval around it."""

    value: float
    low: float
    high: float

    def rounded(self) -> dict[str, float]:
        """As JSON values."""
        return {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4)}


class Bootstrap:
    """Draws of the same questions for every figure, so that differences between rankings are paired.

    ``groups`` says of each question which conversation it is about. Each draw takes conversations with replacement, and of each
    that was taken as many questions as it has, with replacement: the questions of one conversation are alike, and intervals
    over questions alone would be too narrow. With a single conversation it comes to questions alone.
    """

    def __init__(self, groups: Sequence[int], *, draws: int = DRAWS, seed: int = 0) -> None:
        members = [np.flatnonzero(np.asarray(groups) == group) for group in sorted(set(groups))]
        chance = np.random.default_rng(seed)
        self._times: Numbers = np.zeros((draws, len(groups)))
        for times in self._times:
            for drawn in chance.integers(len(members), size=len(members)).tolist():
                own = members[int(drawn)]
                np.add.at(times, chance.choice(own, size=len(own)), 1.0)

    def mean(self, values: Numbers, among: NDArray[np.bool_] | None = None) -> Interval:
        """The mean of the values, of those ``among`` which it is asked for."""
        which = np.ones(len(values), dtype=np.bool_) if among is None else among
        return interval(float(values[which].mean()), self._means(values, which))

    def ratio(self, over: Numbers, under: Numbers, among: NDArray[np.bool_] | None = None) -> Interval:
        """The mean of ``over`` divided by that of ``under``."""
        which = np.ones(len(over), dtype=np.bool_) if among is None else among
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = self._means(over, which) / self._means(under, which)
            value = float(np.divide(over[which].mean(), under[which].mean()))
        return interval(value, drawn[np.isfinite(drawn)])

    def _means(self, values: Numbers, which: NDArray[np.bool_]) -> Numbers:
        """The mean in each draw that has any of them."""
        times = self._times[:, which]
        totals = times.sum(axis=1)
        return (times @ values[which])[totals > 0] / totals[totals > 0]


def interval(value: float, drawn: Numbers) -> Interval:
    """The value between the percentiles of what was drawn; itself where nothing was."""
    if not len(drawn):
        return Interval(value, value, value)
    low, high = np.percentile(drawn, [LOW, HIGH])
    return Interval(value, float(low), float(high))
