"""Several servers of one model as one reasoner: a conversation stays with the one that has its prefix cached.

Who gets a conversation is decided by highest random weight (Thaler & Ravishankar, "Using name-based mappings to increase hit
rates", IEEE/ACM Transactions on Networking 6(1), 1998): every process ranks the replicas alike, without asking anybody, and
when one dies only its own conversations move. Loads are bounded as in Mirrokni, Thorup & Zadimoghaddam, "Consistent hashing
with bounded loads" (SODA 2018): none carries more than c times the mean of the calls under way, c = 1.25, rounded up; the next
by rank takes what is too much. A conversation that moved stays where it went, since its cache is there now.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from pagemind.errors import ReasonerCutOff, ReasonerUnreachable
from pagemind.model.reasoner import Reasoner, models_of
from pagemind.model.traits import Traits
from pagemind.records import Piece, Prompt, TokenCounter

BOUND = 1.25
REMEMBERED = 10_000
DOWN_SECONDS = 1.0
"""How long a replica that failed is left alone; twice as long with each further failure in a row, up to ``DOWN_LIMIT``."""
DOWN_LIMIT_SECONDS = 60.0


class Replica(Reasoner, Protocol):
    """A reasoner that tells what it knows of its server, and whose stream can be closed early."""

    @property
    def traits(self) -> tuple[tuple[str, Traits], ...]:
        """What is known of the server, under its name."""
        ...

    async def learn(self) -> None:
        """Ask the server what is not known yet. Raises ``ReasonerError``."""
        ...

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """The reply as it comes."""
        ...


@dataclass(frozen=True)
class Down:
    """A replica that failed: how often in a row, and until when it is left alone."""

    failures: int
    until: float


class Replicas:
    """One reasoner over several. The window is the smallest of theirs; each is asked for the model that it has."""

    is_language_model = True

    def __init__(self, members: Sequence[Replica], clock: Callable[[], float] = time.monotonic) -> None:
        """``members`` serve the same model, at different URLs, if under different names."""
        self._members = tuple(members)
        self._clock = clock
        self._under_way: Counter[str] = Counter()
        self._down: dict[str, Down] = {}
        self._placed: OrderedDict[str, Replica] = OrderedDict()

    @property
    def name(self) -> str:
        """All names, for people."""
        return ", ".join(member.name for member in self._members)

    @property
    def model(self) -> str:
        """The first replica's name of the model."""
        return self._members[0].model

    @property
    def url(self) -> str:
        """All URLs, with commas between them, as the settings have them."""
        return ",".join(member.url for member in self._members)

    @property
    def listed(self) -> tuple[str, ...]:
        """The names of the chat models that the first replica lists."""
        return models_of(self._members[0])

    @property
    def window_tokens(self) -> int:
        """The smallest window."""
        return min(member.window_tokens for member in self._members)

    @property
    def tokens(self) -> TokenCounter:
        """The counter of the first replica that is up: they serve the same model."""
        return (self._up() or self._members)[0].tokens

    @property
    def traits(self) -> tuple[tuple[str, Traits], ...]:
        """What is known of each server, under its name."""
        return tuple(known for member in self._members for known in member.traits)

    async def settle(self, affinity: str) -> bool:
        """Find a replica for that affinity which is up, so that ``home`` names it; False where none is."""
        for _ in self._members:
            member = self._choose(affinity)
            if await member.settle(affinity):
                self._is_up(member)
                return True
            self._is_down(member)
        return False

    def home(self, affinity: str) -> str:
        """Where the next prompt of that affinity would go now, and which life of it."""
        return self._choose(affinity).home(affinity)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """The reply of the replica in charge; of the next by rank if the connection fails before the first piece."""
        asked = replace(prompt, model=None) if prompt.model == self.model else prompt
        tried: list[Replica] = []
        while True:
            member = self._choose(prompt.affinity, but=tried)
            tried.append(member)
            begun = False
            try:
                with self._counted(member):
                    async with aclosing(member.stream(asked)) as pieces:
                        async for piece in pieces:
                            begun = True
                            yield piece
            except (ReasonerUnreachable, ReasonerCutOff):
                self._is_down(member)
                if begun or len(tried) == len(self._members):
                    raise
            else:
                self._is_up(member)
                self._place(prompt.affinity, member)
                return

    async def close(self) -> None:
        """Close all of them."""
        for member in self._members:
            await member.close()

    def _choose(self, affinity: str, but: Collection[Replica] = ()) -> Replica:
        """The replica for an affinity; without one, that with the fewest calls under way. Down ones only if all are."""
        left = [member for member in self._members if member not in but] or list(self._members)
        up = [member for member in left if member in self._up()] or left
        if not affinity:
            return min(up, key=lambda member: self._under_way[member.url])
        placed = self._placed.get(affinity)
        ranked = sorted(up, key=lambda member: (member is not placed, -weight(member.url, affinity)))
        most = math.ceil(BOUND * (sum(self._under_way[member.url] for member in up) + 1) / len(up))
        return next(member for member in ranked if self._under_way[member.url] < most)

    def _up(self) -> list[Replica]:
        now = self._clock()
        return [m for m in self._members if m.url not in self._down or self._down[m.url].until <= now]

    def _is_up(self, member: Replica) -> None:
        self._down.pop(member.url, None)

    def _is_down(self, member: Replica) -> None:
        failures = self._down[member.url].failures + 1 if member.url in self._down else 1
        pause = min(DOWN_SECONDS * 2 ** min(failures - 1, 16), DOWN_LIMIT_SECONDS)
        self._down[member.url] = Down(failures, self._clock() + pause)

    def _place(self, affinity: str, member: Replica) -> None:
        self._placed[affinity] = member
        self._placed.move_to_end(affinity)
        if len(self._placed) > REMEMBERED:
            self._placed.popitem(last=False)

    @contextmanager
    def _counted(self, member: Replica) -> Generator[None]:
        """Count the call as under way."""
        self._under_way[member.url] += 1
        try:
            yield
        finally:
            self._under_way[member.url] -= 1


def weight(url: str, affinity: str) -> int:
    """The weight of a replica for an affinity: the same in every process, and evenly spread."""
    return int.from_bytes(hashlib.blake2b(f"{url}\n{affinity}".encode(), digest_size=8).digest(), "big")
