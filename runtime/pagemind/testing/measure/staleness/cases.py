"""The cases: a fact, what becomes of it, and a question whose right answer is the newest version."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a fact changes after the blocks were rendered."""

    replaced = "replaced"
    """The agent replaces the line."""
    appended = "appended"
    """The agent adds a newer line that contradicts the old one, which stays."""
    elsewhere = "elsewhere"
    """Somebody else replaces the line: a notice tells of it."""
    twice = "twice"
    """The agent replaces the line, and then once more."""


class Verdict(StrEnum):
    """What an answer is."""

    right = "right"
    """It names the newest value and no older one."""
    stale = "stale"
    """It names an older value and not the newest."""
    other = "other"
    """It names both, or neither."""


@dataclass(frozen=True)
class Case:
    """A fact about ``topic``: its line is ``line`` with each of ``values`` in turn, the newest last."""

    kind: Kind
    topic: str
    line: str
    values: Sequence[str]
    question: str

    @property
    def name(self) -> str:
        """What it is called in figures."""
        return f"{self.kind}: {self.topic}"

    @property
    def lines(self) -> list[str]:
        """The fact in each of its versions."""
        return [self.line.format(value) for value in self.values]

    def verdict(self, answer: str) -> Verdict:
        """Judge an answer by the values that stand in it as words."""
        *older, newest = (names(answer, value) for value in self.values)
        if newest == any(older):
            return Verdict.other
        return Verdict.right if newest else Verdict.stale


def names(answer: str, value: str) -> bool:
    """Whether the value stands in the answer, as words."""
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", answer, re.IGNORECASE) is not None


CASES = (
    Case(Kind.replaced, "my city", "Lives in {}.", ("Lisbon", "Porto"), "In which city do I live?"),
    Case(Kind.replaced, "my employer", "Works for {}.", ("Brightwell", "Northgate"), "Which company do I work for?"),
    Case(Kind.replaced, "my dentist", "The dentist is Dr. {}.", ("Alvarez", "Mendes"), "What is the name of my dentist?"),
    Case(Kind.replaced, "the garden", "This year's main crop is {}.", ("beans", "tomatoes"), "What is this year's main crop?"),
    Case(Kind.replaced, "the budget", "The budget is {} euros.", ("4000", "6500"), "How many euros is the budget?"),
    Case(Kind.replaced, "my phone", "The phone's code name is {}.", ("heron", "falcon"), "What is my phone's code name?"),
    Case(
        Kind.replaced,
        "the meeting day",
        "The team meets on {}s.",
        ("Monday", "Thursday"),
        "On which weekday does the team meet?",
    ),
    Case(Kind.appended, "my drink", "Favourite drink: {}.", ("coffee", "mint tea"), "What is my favourite drink now?"),
    Case(Kind.appended, "my car", "Drives a {} car.", ("red", "silver"), "What colour is my car now?"),
    Case(Kind.appended, "my gym", "Goes to the gym on {} Street.", ("Harbour", "Chestnut"), "On which street is my gym now?"),
    Case(Kind.appended, "my instrument", "Is learning the {}.", ("violin", "cello"), "Which instrument am I learning now?"),
    Case(Kind.appended, "my doctor", "The family doctor is Dr. {}.", ("Novak", "Keller"), "Who is my family doctor now?"),
    Case(Kind.appended, "my language course", "Takes a course in {}.", ("Danish", "Greek"), "Which language do I study now?"),
    Case(
        Kind.appended,
        "my train",
        "Commutes by the {} train.",
        ("7:10", "8:40"),
        "By which train do I commute now?",
    ),
    Case(Kind.elsewhere, "the office", "The office is in room {}.", ("204", "317"), "In which room is the office?"),
    Case(Kind.elsewhere, "the project", "The project is called {}.", ("Juniper", "Saffron"), "What is the project called?"),
    Case(Kind.elsewhere, "the editor", "The editor in charge is {}.", ("Ingrid", "Tobias"), "Who is the editor in charge?"),
    Case(Kind.elsewhere, "the deadline", "The deadline is in {}.", ("March", "October"), "In which month is the deadline?"),
    Case(Kind.elsewhere, "the supplier", "Paper comes from {}.", ("Lindqvist", "Okafor"), "Who is our supplier of paper?"),
    Case(Kind.elsewhere, "the hotel", "The booked hotel is the {}.", ("Astoria", "Bellevue"), "Which hotel is booked?"),
    Case(Kind.elsewhere, "the printer", "The printer stands in the {}.", ("hall", "library"), "Where does the printer stand?"),
    Case(Kind.twice, "my flight", "The flight goes to {}.", ("Oslo", "Vienna", "Athens"), "Where does my flight go to?"),
    Case(Kind.twice, "my seat", "The seat is {}.", ("12A", "19C", "27F"), "Which seat do I have?"),
    Case(Kind.twice, "the dinner", "Dinner is on {}.", ("Tuesday", "Friday", "Sunday"), "On which day is the dinner?"),
    Case(Kind.twice, "the gift", "The gift will be a {}.", ("scarf", "lamp", "kettle"), "What will the gift be?"),
    Case(Kind.twice, "the guide", "The guide's name is {}.", ("Marta", "Pavel", "Yuki"), "What is the guide's name?"),
    Case(Kind.twice, "the paint", "The wall will be {}.", ("yellow", "turquoise", "white"), "What colour will the wall be?"),
    Case(Kind.twice, "the password hint", "The hint is {}.", ("walrus", "cactus", "comet"), "What is the hint?"),
)
"""Values are unlike each other as words, so that a regular expression can tell them apart."""
