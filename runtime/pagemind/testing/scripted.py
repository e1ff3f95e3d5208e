"""The scripted reasoner: says what a test tells it to, behind the same interface as a model. For tests of agents."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

from pagemind.errors import PagemindError
from pagemind.model.tokens import TextCounter
from pagemind.records import CallPiece, CallRequest, Completion, Piece, Prompt, TextPiece, TokenCounter, Usage

Line = str | CallRequest | list[CallRequest] | Completion | PagemindError | Callable[[Prompt], "Line"]
"""One reply: text, one call, several calls, a whole completion, an error to raise, or a function of the prompt."""


class ScriptRanOut(PagemindError):
    """The scripted reasoner was asked once more than it had lines for. Fix: give it another line with `will`."""

    code = "script_ran_out"


def call(name: str, /, *, call_id: str | None = None, **arguments: object) -> CallRequest:
    """A tool call, as a line of the script."""
    return CallRequest(call_id or f"call_{uuid4().hex[:12]}", name, json.dumps(arguments, sort_keys=True))


class WordCounter(TextCounter):
    """One token a word: easy to reason about in a test."""

    async def count(self, text: str) -> int:
        """The number of words."""
        return len(text.split())


class ScriptedReasoner:
    """Replies with its lines in order, and keeps the prompts that it was given.

    A call for a summary, or to warm a cache, does not use up a line: it is answered by ``summary``.
    """

    name = "scripted"
    model = "scripted"
    url = ""
    is_language_model = False

    def __init__(self, window_tokens: int = 8192, summary: str = "They talked.") -> None:
        self.window_tokens = window_tokens
        self.summary = summary
        self.prompts: list[Prompt] = []
        self.tokens: TokenCounter = WordCounter()
        self.home_name = ""
        self.warmed = asyncio.Event()
        """Set once it was asked to warm its cache."""
        self._lines: deque[Line] = deque()

    async def settle(self, affinity: str) -> bool:
        """True: there is no server to lose."""
        return True

    def home(self, affinity: str) -> str:
        """``home_name``, which a test may set as if there were a server with a cache."""
        return self.home_name

    def will(self, *lines: Line) -> None:
        """Reply with these lines next, one a call."""
        self._lines.extend(lines)

    @property
    def left(self) -> int:
        """Lines that were not used yet."""
        return len(self._lines)

    async def stream(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """The next line, in pieces."""
        self.prompts.append(prompt)
        line: Line = self.summary
        if prompt.purpose == "warm":
            self.warmed.set()
        if prompt.purpose == "step":
            if not self._lines:
                raise ScriptRanOut
            line = self._lines.popleft()
        while callable(line):
            line = line(prompt)
        if isinstance(line, PagemindError):
            raise line
        completion = await self._completion(line)
        for word in completion.text.split(" "):
            yield TextPiece(f"{word} ")
        for each in completion.calls:
            yield CallPiece(each.name)
        yield completion

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _completion(self, line: str | CallRequest | list[CallRequest] | Completion) -> Completion:
        match line:
            case Completion():
                return line
            case str():
                return Completion(line, usage=Usage(completion_tokens=await self.tokens.count(line)), model=self.model)
            case CallRequest():
                return Completion("", calls=(line,), finish_reason="tool_calls", model=self.model)
            case list():
                return Completion("", calls=tuple(line), finish_reason="tool_calls", model=self.model)
