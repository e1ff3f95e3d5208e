"""The limits of a run. Pure."""

from __future__ import annotations

from datetime import datetime

from pagemind.records import Run, StopReason


def seconds_left(run: Run, now: datetime) -> float:
    """How long the run may still go on; 0 at its limit."""
    gone = 0.0 if run.started_at is None else (now - run.started_at).total_seconds()
    return max(0.0, float(run.limits["max_seconds"]) - gone)


def exceeded(run: Run, now: datetime) -> StopReason | None:
    """Which of its limits the run has reached; None if it may go on. Seconds count from its first start, across crashes."""
    limits = run.limits
    if run.steps >= limits["max_steps"]:
        return StopReason.max_steps
    if seconds_left(run, now) == 0.0:
        return StopReason.max_seconds
    if run.prompt_tokens + run.completion_tokens >= limits["max_tokens"]:
        return StopReason.max_tokens
    return None
