"""What rankings found of each question's evidence: the rows that every figure of recall is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from pagemind.engine.runtime import Runtime
from pagemind.model.embedder import Embedder
from pagemind.testing.locomo.talk import Question
from pagemind.testing.measure.retrieval import baselines
from pagemind.testing.measure.retrieval.talks import NamedTalk, Stored, undated

AT = (5, 10, 20)
Search = Callable[[UUID, str], Awaitable[Sequence[int]]]
"""The ``seq`` of a conversation's messages for a question, the best first, at least as many as the deepest of ``AT``."""
Numbers = NDArray[np.float64]


@dataclass
class Found:
    """The share of each question's evidence among the first hits, by depth; all rankings answer the same questions."""

    shares: list[tuple[float, ...]] = field(default_factory=list[tuple[float, ...]])

    def at(self, depth: int) -> Numbers:
        """The shares among the first ``depth``."""
        return np.array([each[AT.index(depth)] for each in self.shares])


@dataclass
class Asked:
    """The questions in order: of which conversation (a number), of which category."""

    groups: list[int] = field(default_factory=list[int])
    categories: list[int] = field(default_factory=list[int])


def runtime_search(runtime: Runtime) -> Search:
    """The runtime's own search, with the bare question."""

    async def search(conversation_id: UUID, question: str) -> Sequence[int]:
        hits = await runtime.memory.search_conversation(conversation_id, question, limit=max(AT))
        return [hit.seq for hit in hits]

    return search


async def ask(search: Search, stored: Stored) -> Found:
    """Ask all questions about a conversation."""
    seqs = {turn.dia_id: seq for seq, (_, turn) in enumerate(stored.talk.turns, start=1)}
    found = Found()
    for question in stored.talk.questions:
        hits = await search(stored.conversation_id, question.question)
        found.shares.append(shares(question, seqs, hits))
    return found


async def ask_baselines(embedder: Embedder, talk: NamedTalk) -> dict[str, Found]:
    """What the simple rankings find, by name."""
    texts = [undated(turn) for _, turn in talk.turns]
    seqs = {turn.dia_id: place for place, (_, turn) in enumerate(talk.turns)}
    vectors = np.array(await embedder.embed(texts, kind="document"))
    asked = np.array(await embedder.embed([each.question for each in talk.questions], kind="query"))
    by_words = baselines.Words(texts)
    found = {name: Found() for name in baselines.NAMES}
    for question, vector in zip(talk.questions, asked, strict=True):
        ranked = baselines.rankings(by_words.scores(question.question), vectors @ vector, max(AT))
        for name, places in ranked.items():
            found[name].shares.append(shares(question, seqs, places))
    return found


def shares(question: Question, seqs: dict[str, int], hits: Sequence[int]) -> tuple[float, ...]:
    """The share of the question's evidence among the first hits, for each depth."""
    wanted = [seqs[turn] for turn in question.evidence]
    return tuple(sum(seq in hits[:depth] for seq in wanted) / len(wanted) for depth in AT)
