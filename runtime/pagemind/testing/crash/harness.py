"""The harness: plans the trials, lets the workers live and die, and asks what is left of the promises."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from pagemind.engine.persist import Persist, persist
from pagemind.faults import POINTS
from pagemind.settings import Settings
from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.crash.broken import persist_in_two
from pagemind.testing.crash.checks import collect, violations
from pagemind.testing.crash.scenario import TASKS, TOOLS
from pagemind.testing.crash.worker import DIED, Death, Life, Outcome, lives

Deaths = tuple[Death, ...]
CONTROL_DEATHS = (Death("persist.after_commit", 1), Death("persist.after_commit", 4))


@dataclass(frozen=True)
class Trial:
    """What was tried, which of the deaths came to pass, and what was broken after it."""

    deaths: Deaths
    died: Deaths
    broken: Sequence[str]


@dataclass
class Report:
    """The figures of a whole run of the harness."""

    trials: list[Trial] = field(default_factory=list[Trial])
    control: list[Trial] = field(default_factory=list[Trial])

    @property
    def hit(self) -> frozenset[str]:
        """The fault points at which a worker has died."""
        return frozenset(death.point for trial in self.trials for death in trial.died)

    @property
    def violations(self) -> int:
        """Trials after which some promise was broken."""
        return sum(1 for trial in self.trials if trial.broken)

    @property
    def control_violations(self) -> int:
        """Trials of the broken variant that were caught."""
        return sum(1 for trial in self.control if trial.broken)

    @property
    def passed(self) -> bool:
        """Nothing broke, every point was hit, and the broken variant was caught."""
        return self.violations == 0 and len(self.hit) == len(POINTS) and self.control_violations > 0

    def figures(self) -> dict[str, object]:
        """The figures as JSON values."""
        return {
            "points": len(POINTS),
            "points_hit": len(self.hit),
            "trials": len(self.trials),
            "violations": self.violations,
            "control_trials": len(self.control),
            "control_violations": self.control_violations,
            "points_missed": sorted(set(POINTS) - self.hit),
        }


def run(
    trials: int,
    *,
    first_visits: bool = False,
    seed: int = 0,
    told: Callable[[Trial, int, int], None] | None = None,
) -> Report:
    """Let a worker die at every point at up to three visits (or its first only), then at pairs of points up to ``trials``.

    Every point alone is always tried. ``told`` is called after each trial with its number and how many there will be. Works
    in a fresh home folder. The caller must have no threads.
    """
    report = Report()
    with TemporaryDirectory(prefix="pagemind-crash-") as folder:
        home = Path(folder)
        server = EmbeddedPostgres(home / "server")
        server.join()
        try:
            singles = list(single_deaths(attempt(home, (), persist)[1], first_visits))
            plan = [*singles, *pairs_of_deaths(max(0, trials - len(singles)), seed)]
            for number, deaths in enumerate(plan, start=1):
                trial, _ = attempt(home, deaths, persist)
                report.trials.append(trial)
                if told:
                    told(trial, number, len(plan))
            report.control = [attempt(home, (death,), persist_in_two)[0] for death in CONTROL_DEATHS]
        finally:
            server.leave()
    return report


def single_deaths(visits: Counter[str], first_visits: bool) -> Iterator[Deaths]:
    """Every point at its first, a middle and its last visit, as a life without a death visits them; or at its first only."""
    for point in POINTS:
        for visit in sorted({1} if first_visits else {1, max(1, (visits[point] + 1) // 2), max(1, visits[point])}):
            yield (Death(point, visit),)


def pairs_of_deaths(count: int, seed: int) -> list[Deaths]:
    """``count`` of all ordered pairs of points, each point as the first and as the second of some."""
    everything = [(Death(first), Death(second)) for first, second in itertools.product(POINTS, POINTS)]
    drawn = random.Random(seed)  # noqa: S311 - a plan of trials, not a secret
    drawn.shuffle(everything)
    return sorted(everything[:count], key=str)


def attempt(home: Path, deaths: Deaths, how: Persist) -> tuple[Trial, Counter[str]]:
    """One trial under a tenant and a work folder of its own."""
    tenant_id = uuid4()
    work_home = home / str(tenant_id)
    (work_home / "tools").mkdir(parents=True)
    (work_home / "tools" / "outside.py").write_text(TOOLS)
    outcomes = lives(Life(home / "server", work_home, tenant_id, None, how), deaths)
    died = tuple(death for death, outcome in zip(deaths, outcomes, strict=False) if outcome.status == DIED)
    broken = [*unanswered(outcomes)]
    if not broken:
        settings = Settings(home=home / "server", tenant_id=tenant_id, embedder="hash-8")
        broken += violations(asyncio.run(collect(settings, work_home)))
    return Trial(deaths, died, broken), sum((outcome.visits for outcome in outcomes), Counter[str]())


def unanswered(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Lives that ended in another way than they should have."""
    *before, last = outcomes
    for outcome in before:
        if outcome.status not in (0, DIED):
            yield f"a worker ended with {outcome.status}"
    if last.status != 0 or len(last.accepted) != TASKS:
        yield f"the last worker ended with {last.status} after {len(last.accepted)} tasks"
