"""What the runs of a trial show while they go on: the window, its compactions, the time of each step."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from uuid import UUID

from pagemind.engine.runtime import Runtime
from pagemind.errors import RunFailed
from pagemind.events import Compacted, Event, Replied, RunEnded, StepEnded, ToolReturned
from pagemind.records import RunState, StopReason


@dataclass(frozen=True)
class Page:
    """A compaction: before which step it came, and what it did to the window."""

    before_step: int
    messages: int
    tokens_before: int
    tokens_after: int


@dataclass(frozen=True)
class Said:
    """A run that has ended: what was answered, and what its tools returned."""

    run_id: UUID
    answer: str
    returns: tuple[ToolReturned, ...]


@dataclass
class Watch:
    """The steps of all runs so far, in order."""

    runtime: Runtime
    context_tokens: list[int] = field(default_factory=list[int])
    """The length of each step's prompt."""
    compactions: list[Page] = field(default_factory=list[Page])
    step_ms: dict[tuple[UUID, int], float] = field(default_factory=dict[tuple[UUID, int], float])
    """By run and the step's index: from when the input, or the step before, was stored to when it was."""
    runs: list[UUID] = field(default_factory=list[UUID])
    cut_short: int = 0
    """Runs that did not end by an answer."""
    _since: float = 0.0

    async def say(self, conversation_id: UUID, text: str) -> Said:
        """One input, carried to its end. RunFailed where the run met an error (and not only one of its limits)."""
        run = await self.runtime.accept(conversation_id, text)
        # Not from RunStarted: it may be heard when the first step has begun already.
        self._since = perf_counter()
        self.runs.append(run.id)
        answer, returns = "", list[ToolReturned]()
        async for event in self.runtime.follow(run.id):
            self._note(run.id, event)
            if isinstance(event, Replied):
                answer = event.text or answer
            elif isinstance(event, ToolReturned):
                returns.append(event)
        return Said(run.id, answer, tuple(returns))

    def _note(self, run_id: UUID, event: Event) -> None:
        match event:
            case Compacted(messages=messages, tokens_before=before, tokens_after=after):
                self.compactions.append(Page(len(self.context_tokens), messages, before, after))
            case StepEnded(index=index, prompt_tokens=tokens):
                self.context_tokens.append(tokens)
                now = perf_counter()
                self.step_ms[run_id, index] = (now - self._since) * 1000
                self._since = now
            case RunEnded(state=RunState.failed, stop_reason=StopReason.error, error=error):
                raise RunFailed(str(error or ""), reason=StopReason.error)
            case RunEnded(stop_reason=reason):
                self.cut_short += reason != StopReason.end_turn
            case _:
                pass
