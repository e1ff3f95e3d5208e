"""Named fault points: the instants of a run at which a process may die.

In production `reach` does nothing. The crash harness and the tests put a handler in its place that ends the process or raises
at a chosen visit of a chosen point. A point must stand in `POINTS`, so that a harness can say which were never reached.
"""

from __future__ import annotations

from collections.abc import Callable

POINTS = (
    "accept.before_commit",
    "accept.after_commit",
    "claim.after_commit",
    "begin.before_commit",
    "begin.after_commit",
    "step.after_read",
    "reason.before_call",
    "reason.mid_stream",
    "reason.after_call",
    "act.before_intent",
    "act.after_intent",
    "act.after_call",
    "act.after_record",
    "act.done",
    "persist.mid_transaction",
    "persist.before_commit",
    "persist.after_commit",
    "compact.before_summary",
    "compact.after_summary",
    "compact.before_commit",
    "compact.after_commit",
    "finish.before_commit",
    "finish.after_commit",
    "index.before_commit",
    "index.after_commit",
)

Handler = Callable[[str], None]


class _Point:
    handler: Handler | None = None


def reach(point: str) -> None:
    """Pass the fault point ``point``; KeyError if it is not in `POINTS`."""
    if _Point.handler is not None:
        if point not in POINTS:
            raise KeyError(point)
        _Point.handler(point)


def install(handler: Handler | None) -> None:
    """Have ``handler`` called with the point's name at every visit; None takes it away."""
    _Point.handler = handler
