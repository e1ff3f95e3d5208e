"""Times on the wire."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    """Of an object: UTC with microseconds and ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def optional_stamp(moment: datetime | None) -> str | None:
    """The same of a time that may not have come."""
    return None if moment is None else stamp(moment)


def message_date(moment: datetime) -> str:
    """Of a message: whole seconds with ``+00:00``."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()
