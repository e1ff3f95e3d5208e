"""The workload: a reasoner that takes no time, and asks for the same tools in the same order in every run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from time import perf_counter

from pagemind.model.tokens import EstimatingCounter
from pagemind.records import CallRequest, Completion, Piece, Prompt, TokenCounter
from pagemind.testing.scripted import call

Turn = Callable[[str], list[CallRequest]]
"""The calls of one step, for the input that the run answers."""

TURNS: tuple[Turn, ...] = (
    lambda task: [call("core_memory_append", label="human", content=f"Working on {task}.")],
    lambda task: [call("conversation_search", query="green tea in Porto")],
    lambda task: [call("archival_memory_insert", content=f"{task} was about green tea.", tags=["work"])],
    lambda task: [call("core_memory_replace", label="human", old_content=f"Working on {task}.", new_content="")],
    lambda task: [call("archival_memory_search", query="green tea", top_k=5)],
    lambda task: [call("memory_rethink", label="notes", new_memory=f"Last: {task}.")],
    lambda task: [call("conversation_search", query="dentist"), call("archival_memory_search", query="Porto")],
    lambda task: [call("archival_memory_insert", content=f"{task} is nearly done.", tags=["work", "done"])],
)
"""Edits, searches and archiving, eight steps; a reply in words follows and ends the run."""


class InstantReasoner:
    """Answers at once: the next of ``TURNS`` for the input at hand, by what stands in the prompt alone.

    ``calls`` has, for each input, when each model call began and ended; inputs must differ from one another.
    """

    name = "instant"
    model = "instant"
    url = ""
    is_language_model = False
    window_tokens = 8192

    def __init__(self) -> None:
        self.tokens: TokenCounter = EstimatingCounter()
        self.calls: dict[str, list[tuple[float, float]]] = {}
        self.prompt_messages: list[int] = []

    async def settle(self, affinity: str) -> bool:
        """True: there is no server to lose."""
        return True

    def home(self, affinity: str) -> str:
        """Nowhere: it caches nothing."""
        return ""

    async def stream(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """The whole reply in one piece."""
        began = perf_counter()
        if prompt.purpose == "summary":
            yield Completion("They worked on tasks about green tea.", model=self.model)
            return
        task, steps_done = place(prompt)
        reply = self._reply(task, steps_done)
        self.prompt_messages.append(len(prompt.messages))
        self.calls.setdefault(task, []).append((began, perf_counter()))
        yield reply

    async def close(self) -> None:
        """Nothing to let go of."""

    def _reply(self, task: str, steps_done: int) -> Completion:
        if steps_done >= len(TURNS):
            return Completion(f"{task} is done.", model=self.model)
        return Completion("", calls=tuple(TURNS[steps_done](task)), finish_reason="tool_calls", model=self.model)


def place(prompt: Prompt) -> tuple[str, int]:
    """The input that the run answers, and how many steps it has behind it."""
    steps = 0
    for message in reversed(prompt.messages):
        if message.role == "user" and message.content.splitlines()[-1].startswith("Task "):
            return message.content.splitlines()[-1], steps
        steps += message.role == "assistant"
    return "", len(TURNS)
