"""A turn in progress: what one step has gathered on its way to being stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from uuid import UUID

from pagemind.engine.job import Job
from pagemind.engine.kernel import Kernel
from pagemind.engine.policy import Policy
from pagemind.engine.ruling import Ruling
from pagemind.engine.window import Window
from pagemind.records import Completion, ToolCall
from pagemind.records.view import View

REPLY_BITS = 0x5A5A5A5A_5A5A_0A5A_1A5A_5A5A5A5A5A5A
"""Leaves alone the bits that say that an id is a version 4."""


@dataclass
class Clock:
    """Milliseconds by stage."""

    laps: dict[str, float] = field(default_factory=dict[str, float])
    _since: float = field(default_factory=perf_counter)

    def lap(self, stage: str) -> None:
        """Book the time since the last lap on ``stage``."""
        now = perf_counter()
        self.laps[stage] = round(self.laps.get(stage, 0.0) + (now - self._since) * 1000, 2)
        self._since = now

    def first_token(self, at: float | None) -> None:
        """Book when the stage that goes on brought its first token, if it did."""
        if at is not None:
            self.laps["first_token"] = round((at - self._since) * 1000, 2)


@dataclass(frozen=True)
class Thought:
    """A reply, the step it belongs to, and the outside calls that were recorded for it before a crash."""

    reply: Completion
    step_id: UUID
    recorded: Mapping[int, ToolCall]

    @property
    def message_id(self) -> UUID:
        """The reply's id as a message."""
        return reply_id(self.step_id)


def reply_id(step_id: UUID) -> UUID:
    """The id of the message that the step's reply becomes: known before there is one, and the same after a crash."""
    return UUID(int=step_id.int ^ REPLY_BITS)


@dataclass(frozen=True)
class Turn:
    """One step of one run: its view, the window that was compiled from it, and the reply."""

    job: Job
    kernel: Kernel
    policy: Policy
    view: View
    window: Window
    thought: Thought
    clock: Clock
    ruling: Ruling
