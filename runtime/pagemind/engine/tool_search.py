"""Tools found by words and by meaning."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pagemind.engine.kernel import Kernel
from pagemind.errors import EmbedderError

WORD = re.compile(r"[^\W_]+")
FUSION = 60
"""The constant of reciprocal rank fusion: a find's score is the sum of ``1 / (FUSION + rank)`` over both ways of finding."""
MOST_VECTORS = 5_000
EMBEDDED_CHARS = 1_000
"""Of a tool's text: its first words say what it is for."""

_vectors: dict[tuple[str, str], list[float]] = {}
"""Of tools' texts, by embedder and text: they change seldom and are searched again and again."""


@dataclass(frozen=True)
class Candidate:
    """A tool that may be found: its place among those given, and the text that is searched."""

    name: str
    text: str


@dataclass(frozen=True)
class Found:
    """A find: ``place`` is that of the candidate; the ranks begin at 1, None where it was not found that way."""

    place: int
    score: float
    word_rank: int | None
    vector_rank: int | None


async def search_tools(kernel: Kernel, query: str, candidates: Sequence[Candidate], *, mode: str, limit: int) -> list[Found]:
    """The best first, by ``fts``, ``vector`` or both. Without an embedder by words alone."""
    by_vector = ranked(await vector_scores(kernel, query, candidates)) if mode != "fts" else {}
    by_words = ranked(word_scores(query, candidates)) if mode != "vector" or not by_vector else {}
    found = [
        Found(place, fused(by_words.get(place), by_vector.get(place)), by_words.get(place), by_vector.get(place))
        for place in {*by_words, *by_vector}
    ]
    return sorted(found, key=lambda each: (-each.score, each.place))[:limit]


def ranked(scores: dict[int, float]) -> dict[int, int]:
    """Rank by place."""
    best_first = sorted(scores, key=lambda place: (-scores[place], place))
    return {place: rank for rank, place in enumerate(best_first, start=1)}


def fused(*ranks: int | None) -> float:
    """One score of several ranks."""
    return sum(1 / (FUSION + rank) for rank in ranks if rank is not None)


def word_scores(query: str, candidates: Sequence[Candidate]) -> dict[int, float]:
    """How many of the query's words a candidate has, the rarer ones and those in its name counting for more."""
    wanted = words_of(query)
    texts = [words_of(f"{each.name} {each.text}") for each in candidates]
    weights = {word: math.log(1 + len(texts) / (1 + sum(word in text for text in texts))) for word in wanted}
    scores = {
        place: sum(weights[word] * (1 + (word in words_of(candidates[place].name))) for word in wanted & text)
        for place, text in enumerate(texts)
    }
    return {place: score for place, score in scores.items() if score > 0}


def words_of(text: str) -> set[str]:
    """The words of the text, those of names with underscores too, in small letters."""
    return {word.lower() for word in WORD.findall(text)}


async def vector_scores(kernel: Kernel, query: str, candidates: Sequence[Candidate]) -> dict[int, float]:
    """The cosine of each candidate's text with the query; empty where the embedder gives no vector in time."""
    embedder = kernel.embedder
    asked = await kernel.vector(query, "query")
    if asked is None or not candidates:
        return {}
    texts = [each.text[:EMBEDDED_CHARS] for each in candidates]
    lacking = list(dict.fromkeys(text for text in texts if (embedder.name, text) not in _vectors))
    if lacking:
        try:
            async with asyncio.timeout(kernel.settings.embed_seconds):
                made = await embedder.embed(lacking, kind="document")
        except (EmbedderError, TimeoutError):
            return {}
        if len(_vectors) + len(made) > MOST_VECTORS:
            _vectors.clear()
        _vectors.update({(embedder.name, text): vector for text, vector in zip(lacking, made, strict=True)})
    vectors = [_vectors.get((embedder.name, text)) for text in texts]
    return {place: cosine(asked, vector) for place, vector in enumerate(vectors) if vector is not None}


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of the angle between two vectors; 0 where either is nothing."""
    length = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / length if length else 0.0
