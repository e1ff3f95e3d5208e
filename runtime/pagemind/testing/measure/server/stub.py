"""The stub: a reasoner that answers at once, or a token at a time, as the input asks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from pagemind.model.tokens import EstimatingCounter
from pagemind.records import Completion, Piece, Prompt, TextPiece, TokenCounter, Usage

CADENCE_SECONDS = 0.1
ASKED = re.compile(r"stream (\d{1,4}) tokens")
REPLY = "Noted, and thank you."


class StubReasoner:
    """Says the same thing whatever it is asked; "stream 50 tokens" gets 50 tokens, one each tenth of a second."""

    name = "stub"
    model = "stub"
    url = ""
    is_language_model = False

    def __init__(self, window_tokens: int = 4_096) -> None:
        self.window_tokens = window_tokens
        self.tokens: TokenCounter = EstimatingCounter()

    async def settle(self, affinity: str) -> bool:
        """True: there is no server to lose."""
        return True

    def home(self, affinity: str) -> str:
        """Nowhere: it caches nothing."""
        return ""

    async def stream(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """The reply."""
        asked = ASKED.search(prompt.messages[-1].content) if prompt.purpose == "step" else None
        text = REPLY
        if asked is None:
            yield TextPiece(text)
        else:
            words = [f"word{number} " for number in range(int(asked[1]))]
            text = "".join(words)
            # By the clock: what comes late is late, and does not push back what follows.
            loop = asyncio.get_running_loop()
            began = loop.time()
            for number, word in enumerate(words):
                await asyncio.sleep(began + number * CADENCE_SECONDS - loop.time())
                yield TextPiece(word)
        yield Completion(text, model=self.model, usage=Usage(completion_tokens=len(text) // 4))

    async def close(self) -> None:
        """Nothing to let go of."""
