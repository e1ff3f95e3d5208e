"""Times as people write them on a command line: a date, or how long from now."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pagemind.errors import UsageError

UNITS = {"h": 1 / 24, "d": 1.0, "w": 7.0, "m": 30.0, "y": 365.0}
SPAN = re.compile(r"(\d+(?:\.\d+)?)([hdwmy]?)")
MOST_DAYS = 36_500


class UnknownTime(UsageError):
    """{given!r} is no time. Fix: give a date such as 2027-01-31, or how long from now: 12h, 30d, 6w, 3m, 1y."""

    code = "unknown_time"


def days_in(span: str) -> float:
    """``30d``, ``6w``, ``12h``, ``3m`` (30 days each), ``1y`` or a number of days, in days; ValueError for anything else."""
    found = SPAN.fullmatch(span.strip().lower())
    days = float(found[1]) * UNITS[found[2] or "d"] if found else 0.0
    if not 0 < days <= MOST_DAYS:
        raise ValueError(f"{span!r} is no span of time")
    return days


def moment_in(given: str, at: datetime) -> datetime:
    """A date, or so long after ``at``. Raises UnknownTime."""
    try:
        return at + timedelta(days=days_in(given))
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(given.strip())
        return (when if when.tzinfo else when.astimezone()).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise UnknownTime(given=given[:60]) from None
