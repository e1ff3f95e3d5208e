"""The demo reasoner: a few rules behind the interface of a language model, which it is not.

It reads only the prompt and really asks for tools, so that a newcomer sees memory being paged and the examples run in tests.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from pagemind.errors import ContextTooLong
from pagemind.model.demo_moves import Act, next_move
from pagemind.model.demo_summary import Line, summary_lines
from pagemind.model.demo_view import read_prompt
from pagemind.model.tokens import WordPieceCounter
from pagemind.records import CallPiece, CallRequest, Completion, Piece, Prompt, TextPiece, Usage

DEFAULT_WINDOW_TOKENS = 8192


class DemoReasoner:
    """Rules that store what they are told, search when asked, and answer with what came back."""

    name = "demo reasoner (not a language model)"
    model = "demo"
    url = ""
    is_language_model = False

    def __init__(self, window_tokens: int | None = None, *, word_seconds: float = 0.0) -> None:
        """``word_seconds`` is how long each streamed word takes."""
        self.window_tokens = window_tokens or DEFAULT_WINDOW_TOKENS
        self.tokens = WordPieceCounter()
        self._word_seconds = word_seconds

    async def settle(self, affinity: str) -> bool:
        """True: there is no server to lose."""
        return True

    def home(self, affinity: str) -> str:
        """Nowhere: it caches nothing."""
        return ""

    async def stream(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """Stream the reply word by word. Raises ``ContextTooLong`` as a server would."""
        prompt_tokens = await self._prompt_tokens(prompt)
        if prompt_tokens > self.window_tokens:
            raise ContextTooLong(f"{prompt_tokens} tokens in a window of {self.window_tokens}")
        text, calls = await self._reply(prompt)
        for word in re.findall(r"\s*\S+\s*", text):
            await asyncio.sleep(self._word_seconds)
            yield TextPiece(word)
        for call in calls:
            yield CallPiece(call.name)
        completion_tokens = await self.tokens.count(text) + sum([await self.tokens.count(call.arguments) for call in calls])
        usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
        yield Completion(text, calls, finish_reason="tool_calls" if calls else "stop", usage=usage, model=self.model)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _reply(self, prompt: Prompt) -> tuple[str, tuple[CallRequest, ...]]:
        if prompt.purpose == "summary":
            return await self._summary(prompt), ()
        move = next_move(read_prompt(prompt))
        return ("", move.calls) if isinstance(move, Act) else (move.text, ())

    async def _summary(self, prompt: Prompt) -> str:
        """The summary within ``max_reply_tokens``: the lines that tell least are dropped, the oldest of them first."""
        lines = summary_lines(prompt.messages[-1].content)
        costs = [await self.tokens.count(line.text) + 1 for line in lines]
        kept = fitting(lines, costs, prompt.max_reply_tokens)
        return "\n".join(kept) or "Nothing was said that lasts."

    async def _prompt_tokens(self, prompt: Prompt) -> int:
        system, *others = prompt.messages
        return await self.tokens.frame(system, prompt.tools) + await self.tokens.added(others)


def fitting(lines: list[Line], costs: list[int], budget: int) -> list[str]:
    """The heaviest lines that fit the budget together, in their own order; of equal ones the newest."""
    chosen: set[int] = set()
    for at in sorted(range(len(lines)), key=lambda at: (lines[at].weight, at), reverse=True):
        if costs[at] <= budget:
            chosen.add(at)
            budget -= costs[at]
    return [line.text for at, line in enumerate(lines) if at in chosen]
