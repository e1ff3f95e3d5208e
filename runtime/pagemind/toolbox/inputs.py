"""Checks that tools make at the call, since a schema carries no lengths: each refuses in words that say what to give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pagemind.errors import BadArgument


def bounded_text(name: str, text: str, *, limit_chars: int, may_be_empty: bool = False) -> str:
    """The text of the argument ``name`` as it is. Raises BadArgument where it is blank or too long."""
    if not text.strip() and not may_be_empty:
        raise BadArgument(name=name, advice="it is empty: give a text.")
    if len(text) > limit_chars:
        raise BadArgument(f"{len(text)} characters", name=name, advice=f"give at most {limit_chars} characters at once.")
    return text


def bounded_number(name: str, number: int, *, least: int, most: int) -> int:
    """The number of the argument ``name``. Raises BadArgument where it is out of its bounds."""
    if not least <= number <= most:
        raise BadArgument(str(number)[:40], name=name, advice=f"give a number from {least} to {most}.")
    return number


def moment(name: str, text: str | None, *, end: bool = False) -> datetime | None:
    """The time that an ISO date or date-time names, in UTC where it names no zone; None where nothing is given.

    With ``end`` a date alone is the end of that day: the first instant after it. Raises BadArgument.
    """
    given = (text or "").strip()
    if not given:
        return None
    try:
        read = datetime.fromisoformat(given)
        read = read.replace(tzinfo=UTC) if read.tzinfo is None else read
        date_alone = "T" not in given.upper() and ":" not in given
        return (read + timedelta(days=1) if end and date_alone else read).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadArgument(given[:40], name=name, advice="write it as 2024-01-15 or 2024-01-15T14:30.") from error


def one_line(text: str, *, limit_chars: int) -> str:
    """The text on one line, its end cut off where it is longer, saying by how much."""
    line = " ".join(text.split())
    return line if len(line) <= limit_chars else f"{line[:limit_chars]} [... {len(line) - limit_chars} characters more]"
