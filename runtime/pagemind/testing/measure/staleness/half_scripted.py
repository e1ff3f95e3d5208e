"""A reasoner that answers some inputs by a script and leaves the rest to a real model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from pagemind.model.reasoner import Reasoner
from pagemind.records import CallRequest, Completion, Piece, Prompt
from pagemind.testing.stand_in import StandIn


class HalfScripted(StandIn):
    """Edits and small talk are the same for every model and policy; only the question is put to ``real``."""

    def __init__(self, real: Reasoner) -> None:
        super().__init__(real)
        self._lines: dict[str, Sequence[str | CallRequest]] = {}

    def will(self, text: str, *lines: str | CallRequest) -> None:
        """Answer that input by these lines, one a step; the last is in words."""
        self._lines[text] = lines

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """The script's reply to the newest input, if it has one; else the model's."""
        text, steps_done = newest_input(prompt)
        lines = next((lines for known, lines in self._lines.items() if text.endswith(known)), None)
        if lines is None or prompt.purpose != "step":
            async for piece in self._real.stream(prompt):
                yield piece
            return
        line = lines[min(steps_done, len(lines) - 1)]
        if isinstance(line, CallRequest):
            yield Completion("", calls=(line,), finish_reason="tool_calls", model=self.model)
        else:
            yield Completion(line, model=self.model)

    async def close(self) -> None:
        """Leave the real one open: it is asked under the next policy too."""


def newest_input(prompt: Prompt) -> tuple[str, int]:
    """The last user's message of a prompt, and how many replies stand after it."""
    replies = 0
    for message in reversed(prompt.messages):
        if message.role == "user":
            return message.content, replies
        replies += message.role == "assistant"
    return "", replies
