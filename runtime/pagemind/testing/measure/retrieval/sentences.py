"""Varied English notes as an agent's archive holds them, and questions about them: always the same ones for a seed.

A note is one to three sentences about one topic, filled with names, places, things, dates and numbers; about one in eight has a
code that nothing else has.
"""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from dataclasses import dataclass

from pagemind.testing.measure.retrieval.topics import SLOTS, TOPICS, Topic

CODED_SHARE = 0.125


@dataclass(frozen=True)
class Note:
    """A note, and a question that it answers."""

    text: str
    question: str


def notes(count: int, seed: int) -> Iterator[Note]:
    """So many different notes."""
    chance = random.Random(seed)  # noqa: S311 - a seeded draw, no secret
    seen: set[str] = set()
    while len(seen) < count:
        note = drawn(chance)
        if note.text not in seen:
            seen.add(note.text)
            yield note


def drawn(chance: random.Random) -> Note:
    """A note by chance."""
    topic = chance.choice(TOPICS)
    filled = Fill(chance, topic)
    sentences = chance.sample(topic.sentences, min(chance.choice((1, 1, 2, 2, 3)), len(topic.sentences)))
    text = " ".join(capital(sentence.format_map(filled)) for sentence in sentences)
    question = chance.choice(topic.questions).format_map(filled)
    if chance.random() < CODED_SHARE:
        code = f"{''.join(chance.choices(string.ascii_uppercase, k=3))}-{chance.randrange(10_000, 100_000)}"
        return Note(f"{text} The reference is {code}.", f"What is {code} about?")
    return Note(text, question)


def capital(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


class Fill(dict[str, str]):
    """What stands in the places of a topic's sentences: drawn when it is first asked for, and the same within a note."""

    def __init__(self, chance: random.Random, topic: Topic) -> None:
        super().__init__()
        self._chance = chance
        self._words = {**SLOTS, **topic.words}

    def __missing__(self, name: str) -> str:
        """Draw it."""
        self[name] = (
            number(self._chance, name) if name in RANGES else self._chance.choice(self._words[name.rstrip("2")].split(", "))
        )
        return self[name]


RANGES = {"n": (2, 40), "hundreds": (100, 990), "year": (1962, 2026), "day": (1, 28), "hour": (7, 21), "euros": (3, 4_900)}


def number(chance: random.Random, name: str) -> str:
    """A number of that kind."""
    low, high = RANGES[name]
    return str(chance.randint(low, high))
