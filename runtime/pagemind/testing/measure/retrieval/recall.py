"""Evidence recall on conversations of the LoCoMo form: the runtime's own search beside simple rankings, and its ingredients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pagemind.engine.runtime import Runtime
from pagemind.testing.locomo.talk import ASKED_CATEGORIES
from pagemind.testing.measure.retrieval.ablation import Without, variants
from pagemind.testing.measure.retrieval.baselines import NAMES
from pagemind.testing.measure.retrieval.found import AT, Asked, Found, ask, ask_baselines, runtime_search
from pagemind.testing.measure.retrieval.intervals import Bootstrap, Interval
from pagemind.testing.measure.retrieval.talks import NamedTalk, Stored, store

Told = Callable[[str], None]
TARGETS = {5: 0.62, 10: 0.72, 20: 0.80}
MULTI_HOP = 1
MULTI_HOP_GAIN = 1.5
"""What the recall of multi-hop questions is to reach at 10, over that by vectors only."""


@dataclass(frozen=True)
class Recall:
    """The mean share of evidence found, by depth, over so many questions."""

    questions: int
    at: Mapping[int, Interval]

    def figures(self) -> dict[str, Any]:
        """As JSON values."""
        means = {f"recall@{depth}": round(each.value, 4) for depth, each in self.at.items()}
        bounds = {f"recall@{depth}": [round(each.low, 4), round(each.high, 4)] for depth, each in self.at.items()}
        return {**means, "n": self.questions, "interval": bounds}


@dataclass(frozen=True)
class RecallFigures:
    """All figures of recall in one run. ``ablation`` has, by what was left out, recall and its difference from the whole."""

    whole: Recall
    by_category: Mapping[int, Recall]
    by_conversation: Mapping[str, Recall]
    baselines: Mapping[str, Recall]
    baselines_by_category: Mapping[str, Mapping[int, Recall]]
    multi_hop_gain: Interval | None
    ablation: Mapping[str, Without] = field(default_factory=dict[str, "Without"])

    def figures(self) -> dict[str, Any]:
        """As JSON values; the runtime's own recall stands at the top."""
        return {
            **self.whole.figures(),
            "by_category": {
                str(number): {"name": ASKED_CATEGORIES[number], **each.figures()} for number, each in self.by_category.items()
            },
            "by_conversation": {name: each.figures() for name, each in self.by_conversation.items()},
            "baselines": {
                name: {
                    **each.figures(),
                    "by_category": {str(of): part.figures() for of, part in self.baselines_by_category[name].items()},
                }
                for name, each in self.baselines.items()
            },
            "multi_hop_gain@10": self.multi_hop_gain.rounded() if self.multi_hop_gain else None,
            "ablation": {name: each.figures() for name, each in self.ablation.items()},
            "interval_by": "bootstrap over conversations, then their questions; 2,000 draws, 95 %",
        }


async def recall_figures(runtime: Runtime, talks: Sequence[NamedTalk], told: Told, *, ablate: bool = True) -> RecallFigures:
    """Store the conversations and ask every question by every ranking."""
    asked, own = Asked(), Found()
    simple = {name: Found() for name in NAMES}
    left_out = {variant.name: Found() for variant in variants(runtime)} if ablate else {}
    for number, talk in enumerate(talks):
        told(f"conversation {talk.name}: {len(talk.turns)} turns, {len(talk.questions)} questions")
        stored = await store(runtime, talk)
        own.shares += (await ask(runtime_search(runtime), stored)).shares
        for name, found in (await ask_baselines(runtime.kernel.embedder, talk)).items():
            simple[name].shares += found.shares
        await ask_variants(runtime, stored, left_out, told)
        asked.groups += [number] * len(talk.questions)
        asked.categories += [question.category for question in talk.questions]
    return composed([talk.name for talk in talks], asked, own, simple, left_out)


async def ask_variants(runtime: Runtime, stored: Stored, left_out: dict[str, Found], told: Told) -> None:
    """Ask once more for each ingredient that is left out."""
    for variant in variants(runtime) if left_out else ():
        told(f"  {variant.name}")
        left_out[variant.name].shares += (await ask(variant.search, stored)).shares


def composed(
    names: Sequence[str], asked: Asked, own: Found, simple: Mapping[str, Found], left_out: Mapping[str, Found]
) -> RecallFigures:
    """The figures of what was found."""
    drawn = Bootstrap(asked.groups)
    categories, groups = np.array(asked.categories), np.array(asked.groups)
    present = [number for number in ASKED_CATEGORIES if (categories == number).any()]
    multi_hop = categories == MULTI_HOP
    vectors = simple[NAMES[0]]
    return RecallFigures(
        whole=recall_of(own, drawn),
        by_category={number: recall_of(own, drawn, categories == number) for number in present},
        by_conversation={name: recall_of(own, drawn, groups == at) for at, name in enumerate(names) if (groups == at).any()},
        baselines={name: recall_of(found, drawn) for name, found in simple.items()},
        baselines_by_category={
            name: {number: recall_of(found, drawn, categories == number) for number in present}
            for name, found in simple.items()
        },
        multi_hop_gain=drawn.ratio(own.at(10), vectors.at(10), multi_hop) if multi_hop.any() else None,
        ablation={name: without(found, own, drawn) for name, found in left_out.items()},
    )


def recall_of(found: Found, drawn: Bootstrap, among: NDArray[np.bool_] | None = None) -> Recall:
    """Recall at every depth."""
    questions = len(found.shares) if among is None else int(among.sum())
    return Recall(questions, {depth: drawn.mean(found.at(depth), among) for depth in AT})


def without(found: Found, own: Found, drawn: Bootstrap) -> Without:
    """What leaving it out comes to."""
    recall = {depth: float(found.at(depth).mean()) for depth in AT}
    return Without(recall, {depth: drawn.mean(own.at(depth) - found.at(depth)) for depth in AT})
