"""A conversation file of the LoCoMo form (Maharana et al. 2024): dated sessions of turns, and questions with their evidence."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, Field, TypeAdapter, ValidationError

from pagemind.errors import UsageError

ASKED_CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}
"""By the file's number; what it calls 5, adversarial, has no evidence to find."""


class BadTalk(UsageError):
    """{path} is no conversation of the LoCoMo form. Fix: name another file with --data (make demo DATA=...)."""

    code = "bad_talk"


class Turn(BaseModel):
    """Something that one of the two said; ``caption`` is that of a picture which they showed."""

    speaker: str
    dia_id: str
    text: str = Field(validation_alias=AliasChoices("text", "clean_text"))
    caption: str = Field("", validation_alias="blip_caption")

    def dated(self, when: str) -> str:
        """The turn as a message: when, who, what.

        Measured on five conversations, the date in each turn also helps to find it: evidence recall@10 .703, without it .695.
        """
        shown = f" [image: {self.caption}]" if self.caption else ""
        return f"[{when}] {self.speaker}: {self.text}{shown}"


class Question(BaseModel):
    """A question, its answer, and the ``dia_id`` of the turns that hold it."""

    question: str
    answer: str | int | float = ""
    evidence: tuple[str, ...] = ()
    category: int


@dataclass(frozen=True)
class Session:
    """The turns of one sitting."""

    number: int
    when: str
    turns: Sequence[Turn]


@dataclass(frozen=True)
class Talk:
    """The sessions in order, and what can be asked about them."""

    sessions: Sequence[Session]
    questions: Sequence[Question]

    def first(self, sessions: int) -> Talk:
        """Only the first sessions, and the questions whose evidence lies in them and that there is evidence for."""
        kept = self.sessions[:sessions]
        said = {turn.dia_id for session in kept for turn in session.turns}
        known = {turn.dia_id for session in self.sessions for turn in session.turns}
        asked = [with_valid_evidence(question, known) for question in self.questions]
        return Talk(kept, [question for question in asked if question.evidence and said.issuperset(question.evidence)])

    def draw(self, questions: int, seed: int) -> list[Question]:
        """So many of the questions, always the same ones for a seed, in the order of the file."""
        asked = [at for at, question in enumerate(self.questions) if question.category in ASKED_CATEGORIES]
        drawn = random.Random(seed).sample(asked, min(questions, len(asked)))  # noqa: S311 - a draw, not a secret
        return [self.questions[at] for at in sorted(drawn)]


def with_valid_evidence(question: Question, known: set[str]) -> Question:
    """The question with the evidence that names a turn; a few ids in the files are malformed."""
    return question.model_copy(update={"evidence": tuple(turn for turn in question.evidence if turn in known)})


def read_talk(path: Path) -> Talk:
    """The conversation in a file; BadTalk if it is something else, or cannot be read."""
    try:
        data: Mapping[str, Any] = TypeAdapter(dict[str, Any]).validate_python(json.loads(path.read_bytes()))
        talk = Talk(list(sessions_of(data)), TypeAdapter(list[Question]).validate_python(data.get("qa", ())))
    except ValidationError as error:
        raise BadTalk(first_problem(error), path=path) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadTalk(str(error), path=path) from error
    if not talk.sessions:
        raise BadTalk("it has no session_1", path=path)
    return talk


def sessions_of(data: Mapping[str, Any]) -> list[Session]:
    """The sessions 1, 2, ... that the file has turns for; dates may go on where turns have ended."""
    turns = TypeAdapter(list[Turn])
    found: list[Session] = []
    for number in count(1):
        if f"session_{number}" not in data:
            return found
        when = str(data.get(f"session_{number}_date_time", f"session {number}"))
        found.append(Session(number, when, turns.validate_python(data[f"session_{number}"])))
    return found


def first_problem(error: ValidationError) -> str:
    """Where the file differs first, and how."""
    problem = error.errors(include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
