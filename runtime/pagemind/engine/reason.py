"""Reason: one model call, streamed to whoever listens; passing failures are waited out (contract D3)."""

from __future__ import annotations

import asyncio
from time import perf_counter

from pagemind.engine.job import Job
from pagemind.engine.kernel import Kernel
from pagemind.errors import ReasonerBusy, ReasonerCutOff, ReasonerError
from pagemind.events import CallDelta, CallStarted, Event, ReasoningDelta, RetryScheduled, TextDelta
from pagemind.faults import reach
from pagemind.records import ArgumentsPiece, CallPiece, Completion, Prompt, ReasoningPiece, TextPiece


async def reason(job: Job, kernel: Kernel, prompt: Prompt) -> Completion:
    """The reply, whole. Raises ReasonerError when it fails for good, RunCancelled when the run is cancelled meanwhile."""
    attempt = 0
    while True:
        attempt += 1
        try:
            return await job.unless_cancelled(stream(job, kernel, prompt))
        except ReasonerError as error:
            if not error.transient or attempt > kernel.settings.reasoner_retries:
                raise
            seconds = pause(error, attempt, kernel.settings.reasoner_retry_seconds)
            job.tell(RetryScheduled(reason=str(error), seconds=seconds, attempt=attempt))
            await job.unless_cancelled(asyncio.sleep(seconds))


async def stream(job: Job, kernel: Kernel, prompt: Prompt) -> Completion:
    """Make the call once."""
    reach("reason.before_call")
    told = Told()
    async for piece in kernel.think(prompt):
        if job.first_piece_at is None:
            job.first_piece_at = perf_counter()
        if isinstance(piece, Completion):
            reach("reason.after_call")
            return piece
        job.tell(told.event(piece))
        reach("reason.mid_stream")
    raise ReasonerCutOff("the stream held no completion", url=kernel.reasoner.url)


class Told:
    """How much of a reply was told already."""

    def __init__(self) -> None:
        self._text = self._reasoning = 0
        self._arguments: dict[int, int] = {}

    def event(self, piece: TextPiece | ReasoningPiece | CallPiece | ArgumentsPiece) -> Event:
        """The event that tells this piece."""
        match piece:
            case TextPiece(text):
                self._text += len(text)
                return TextDelta(text, self._text - len(text))
            case ReasoningPiece(text):
                self._reasoning += len(text)
                return ReasoningDelta(text, self._reasoning - len(text))
            case CallPiece(name, index, call_id):
                return CallStarted(name, index, call_id)
            case ArgumentsPiece(text, index):
                at = self._arguments.get(index, 0)
                self._arguments[index] = at + len(text)
                return CallDelta(text, index, at)


def pause(error: ReasonerError, attempt: int, first_seconds: float) -> float:
    """How long to wait before the next attempt: what the server asks for (at most a minute), else 1, 2, 4 times the first."""
    if isinstance(error, ReasonerBusy) and error.retry_after_seconds is not None:
        return min(error.retry_after_seconds, 60.0)
    return first_seconds * 2 ** (attempt - 1)
