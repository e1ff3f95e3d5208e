"""A directed reasoner: every prompt goes to a real server, which computes it; the words of the reply are the script's.

So the load is real (prompts over HTTP, prefill, a short reply, the server's own usage) and yet says what the script says,
whatever the weights are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pagemind.model.reasoner import Reasoner
from pagemind.records import CallPiece, Completion, Piece, Prompt, TextPiece, Usage
from pagemind.testing.measure.prefix.script import Script, Turn, place
from pagemind.testing.stand_in import StandIn

REAL_REPLY_TOKENS = 2
"""What the server generates for each call; more would change nothing that is measured."""

Kind = Literal["step", "summary", "warm"]
"""As ``Prompt.purpose`` has it: the calls of turns, and two that nobody waits for."""


@dataclass(frozen=True)
class Call:
    """One model call: what it was for, its prompt by our own count, and what the server reported of it."""

    kind: Kind
    affinity: str
    turn: str
    counted_tokens: int
    correction_tokens: int
    usage: Usage

    @property
    def prompt_tokens(self) -> int:
        """As the server counted it; 0 where it did not say."""
        return self.usage.prompt_tokens or 0

    @property
    def cached_tokens(self) -> int:
        """What of it came from the prefix cache."""
        return self.usage.cached_tokens or 0

    @property
    def off_by(self) -> int | None:
        """Our count less the server's; None for a call whose prompt is not counted beforehand, or one without usage."""
        if self.kind == "summary" or self.usage.prompt_tokens is None:
            return None
        return self.counted_tokens - self.usage.prompt_tokens


class DirectedReasoner(StandIn):
    """``real``, with the replies of the scripts that it was given. ``calls`` are those that have ended, in order."""

    def __init__(self, real: Reasoner) -> None:
        super().__init__(real)
        self._turns: dict[str, Turn] = {}
        self._summary = "They talked."
        self.calls: list[Call] = []
        self.under_way = 0

    def play(self, script: Script) -> None:
        """Reply to the turns of this script too."""
        self._turns |= {turn.name: turn for turn in script.turns}
        self._summary = script.summary

    async def stream(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """The script's reply, after the server has computed the prompt and begun one of its own."""
        turn = ""
        said = Completion(self._summary)
        if prompt.purpose == "step":
            turn, steps_done = place(prompt)
            said = self._turns[turn].step(steps_done)
        real = await self._computed(prompt)
        segments = prompt.segments
        self.calls.append(Call(prompt.purpose, prompt.affinity, turn, segments.used, segments.correction, real.usage))
        for word in said.text.split(" ") if said.text else ():
            yield TextPiece(f"{word} ")
        for each in said.calls:
            yield CallPiece(each.name)
        yield replace(said, usage=real.usage, model=real.model, served_by=real.served_by)

    async def close(self) -> None:
        """Close the real one."""
        await self._real.close()

    async def _computed(self, prompt: Prompt) -> Completion:
        """The real reply, which is as short as can be."""
        self.under_way += 1
        try:
            asked = replace(prompt, max_reply_tokens=min(prompt.max_reply_tokens, REAL_REPLY_TOKENS))
            pieces: Sequence[Piece] = [piece async for piece in self._real.stream(asked)]
        finally:
            self.under_way -= 1
        last = pieces[-1]
        assert isinstance(last, Completion), "a stream ends with the completion"
        return last
