"""The workload of ``bench-faults``: facts told once, questions about them drawn by popularity, and who answers them."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, product
from typing import Literal

from pagemind.model.tokens import EstimatingCounter
from pagemind.records import Completion, Piece, Prompt, TokenCounter
from pagemind.testing.scripted import call

Popularity = Literal["zipf", "uniform"]

THINGS = (
    *("dentist", "landlord", "favourite tea", "bicycle", "holiday town", "piano teacher", "wifi password", "locker code"),
    *("blood type", "shoe size", "train seat", "garden gate", "first book", "violin", "beekeeper", "boat"),
)
OWNERS = (
    *("Ada", "Bruno", "Celia", "Dario", "Elena", "Felix", "Greta", "Hugo"),
    *("Irma", "Jonas", "Klara", "Lars", "Mina", "Nils", "Olga", "Pavel"),
)
WORDS = (
    *("amber", "birch", "cobalt", "delta", "ember", "fjord", "garnet", "harbor", "indigo", "jasper", "kestrel", "lagoon"),
    *("meadow", "nectar", "onyx", "pebble", "quartz", "raven", "saffron", "thistle", "umber", "velvet", "willow", "zephyr"),
)
CHATTER = (
    "I thought of it while the kettle was on.",
    "It came up again at lunch today.",
    "My neighbour reminded me of it.",
    "Better written down than forgotten.",
    "You never know when that will matter.",
)
SUMMARY = "The user told a number of facts about people, one at a time, and asked about some of them. The values are not noted."
QUESTION = re.compile(r"What is the (?P<thing>[a-z ]+) of (?P<owner>\w+)\?")
HITS = 5


@dataclass(frozen=True)
class Fact:
    """Something that is told once: ``thing`` of ``owner`` is ``value``."""

    thing: str
    owner: str
    value: str

    @property
    def question(self) -> str:
        """How it is asked for."""
        return f"What is the {self.thing} of {self.owner}?"

    @property
    def statement(self) -> str:
        """How it is told, and how it is answered."""
        return statement(self.thing, self.owner, self.value)


def statement(thing: str, owner: str, value: str) -> str:
    """The fact as a sentence."""
    return f"The {thing} of {owner} is {value}."


def facts(count: int, seed: int) -> list[Fact]:
    """So many facts about different things of different people."""
    chance = random.Random(seed)  # noqa: S311 - a workload that is the same each time, no secret
    pairs = chance.sample([*product(THINGS, OWNERS)], count)
    return [Fact(thing, owner, f"{chance.choice(WORDS)}-{chance.randrange(100, 1000)}") for thing, owner in pairs]


def questions(told: Sequence[Fact], count: int, popularity: Popularity, seed: int) -> list[Fact]:
    """The facts that are asked for, in order: all equally often, or the n-th most popular with weight 1/n (Zipf's law)."""
    chance = random.Random(seed)  # noqa: S311
    weights = [1 / rank if popularity == "zipf" else 1.0 for rank in range(1, len(told) + 1)]
    return chance.choices(chance.sample(told, len(told)), cum_weights=[*accumulate(weights)], k=count)


def tellings(told: Sequence[Fact], seed: int) -> list[str]:
    """Each fact as it is told, with a little chatter."""
    chance = random.Random(seed)  # noqa: S311
    return [f"{fact.statement} {chance.choice(CHATTER)}" for fact in told]


class OpenBookReasoner:
    """Answers from what stands in the prompt, wherever it does; searches the conversation once for what does not.

    It keeps nothing between calls, and its summaries give no fact away: what it can answer depends on paging alone.
    """

    name = "open book"
    model = "open-book"
    url = ""
    is_language_model = False

    def __init__(self, window_tokens: int) -> None:
        self.window_tokens = window_tokens
        self.tokens: TokenCounter = EstimatingCounter()

    async def settle(self, affinity: str) -> bool:
        """True: there is no server to lose."""
        return True

    def home(self, affinity: str) -> str:
        """Nowhere: it caches nothing."""
        return ""

    async def stream(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """The whole reply in one piece."""
        yield self._reply(prompt)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _reply(self, prompt: Prompt) -> Completion:
        if prompt.purpose == "summary":
            return Completion(SUMMARY, model=self.model)
        asked, searched = question(prompt)
        if asked is None:
            return Completion("Noted.", model=self.model)
        found = seen(prompt, *asked)
        if found or searched:
            answer = statement(*asked, found) if found else "I do not know."
            return Completion(answer, model=self.model)
        thing, owner = asked
        search = call("conversation_search", query=f"{thing} of {owner}", limit=HITS)
        return Completion("", calls=(search,), finish_reason="tool_calls", model=self.model)


def question(prompt: Prompt) -> tuple[tuple[str, str] | None, bool]:
    """The thing and the owner that the newest input asks for (None where it tells), and whether that was searched for."""
    searched = False
    for message in reversed(prompt.messages):
        if message.role == "user":
            found = QUESTION.search(message.content)
            return (found["thing"], found["owner"]) if found else None, searched
        searched = searched or message.role == "tool"
    return None, searched


def seen(prompt: Prompt, thing: str, owner: str) -> str:
    """The value, if any message of the prompt states it; else nothing."""
    pattern = re.compile(re.escape(statement(thing, owner, "@")).replace("@", r"(\S+)"))
    for message in reversed(prompt.messages):
        if found := pattern.search(message.content):
            return found[1]
    return ""
