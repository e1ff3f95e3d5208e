"""Dates in a query: which time it asks about, absolute ("8 May 2023", "in May") or relative ("last Tuesday", "two weeks ago").

English only; in another language a query is found by its words, as the text that is looked for has the same words. Pure.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

MONTHS = [
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
]  # fmt: skip
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
NUMBERS = {
    word: number
    for number, words in enumerate(
        ("", "one a an", "two couple", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
    for word in words.split()
}
MONTH = "|".join((*MONTHS, r"sept\.?(?![a-z])", *(f"{month[:3]}\\.?(?![a-z])" for month in MONTHS if month != "may")))
BEFORE_A_MONTH = "in|of|during|since|by|until|till|before|after|around|early|late|mid|last|this"
COUNT = r"\d{1,3}|" + "|".join(NUMBERS)
YEAR = r"(?P<year>(?:19|20)\d\d)"

DAY = timedelta(days=1)
LOOKED_AT_CHARS = 2_000
TOLD_LATER_DAYS = 7
"""What happens is mostly told of within so many days."""
ECHOED_DAYS = 31


@dataclass(frozen=True)
class Span:
    """A time that a query asks about: ``start <= t < end``, and the query's words for it."""

    start: datetime
    end: datetime
    words: str
    exact: bool = False
    """Whether only what is of that time itself answers; else what was told of it afterwards does, too."""
    every_year: bool = False
    """Whether the query names no year: then it is the last one that has come, and the same days of other years count, too."""


@dataclass(frozen=True)
class SessionsAgo:
    """A sitting of the conversation that a query asks about, counted back from the present one (1 is the last before it)."""

    count: int
    words: str


def spans_of(query: str, now: datetime) -> list[Span]:
    """The times that the query names, each once; ``now`` is what relative ones count from, and gives the time zone.

    A word that is only sometimes a date ("may", "march") needs a word before it that makes it one, or a number beside it. Only
    the first ``LOOKED_AT_CHARS`` are looked at.
    """
    query = query[:LOOKED_AT_CHARS]
    found: list[Span] = []
    taken: list[tuple[int, int]] = []
    for pattern, made in FORMS:
        for match in pattern.finditer(query):
            if any(match.start() < end and start < match.end() for start, end in taken):
                continue
            span = made(match, now)
            if span is not None:
                taken.append(match.span())
                yearless = "month" in match.groupdict() and match["year"] is None
                found.append(Span(*span, match[0], every_year=yearless))
    return found


def sessions_ago(query: str) -> SessionsAgo | None:
    """The sitting that the query names ("last session", "three conversations ago"); None if it names none."""
    match = SESSION.search(query[:LOOKED_AT_CHARS])
    if match is None:
        return None
    return SessionsAgo(number_of(match["count"]) if match["count"] else 1, match[0])


def fit(when: datetime, spans: Sequence[Span]) -> float:
    """How well a text of that time answers to the spans, 0 to 1: the best of `fit_of`; 0 without any."""
    return max((fit_of(when, each) for span in spans for each in of_years(span, when)), default=0.0)


def of_years(span: Span, when: datetime) -> Iterator[Span]:
    """The span, or its like that ended last before ``when`` and the next, where it names no year."""
    if not span.every_year:
        yield span
        return
    for year in (when.year - 1, when.year, when.year + 1):
        try:
            start = span.start.replace(year=year)
        except ValueError:  # 29 February
            continue
        yield replace(span, start=start, end=start + (span.end - span.start), every_year=False)


def fit_of(when: datetime, span: Span) -> float:
    """How well a text of that time answers to the span, 0 to 1: 1 within it, .85 within a day, .7 in the week after, .3 in
    the month after. What happens is told of afterwards."""
    if span.start <= when < span.end:
        return 1.0
    if span.exact:
        return 0.0
    late = (when - span.end) / DAY
    if late > ECHOED_DAYS or when < span.start - DAY:
        return 0.0
    if late <= 1:
        return 0.85
    # Of a whole month or year nothing is told "a little later".
    if span.end - span.start > 8 * DAY:
        return 0.0
    return 0.7 if late <= TOLD_LATER_DAYS else 0.3


Ends = tuple[datetime, datetime] | None


def midnight(when: datetime) -> datetime:
    """The day's beginning."""
    return when.replace(hour=0, minute=0, second=0, microsecond=0)


def month_of(words: str) -> int:
    """The month's number, by its name or how that begins."""
    return next(number for number, month in enumerate(MONTHS, start=1) if month.startswith(words.lower().rstrip(".")))


def number_of(words: str) -> int:
    """The number, in figures or in words."""
    return int(words) if words.isdigit() else NUMBERS[words.lower()]


def of_day(year: int, month: int, day: int, now: datetime) -> Ends:
    """That day; None if there is none."""
    try:
        start = midnight(now).replace(year=year, month=month, day=day)
    except ValueError:
        return None
    return start, start + DAY


def of_month(year: int, month: int, now: datetime) -> Ends:
    """That month."""
    start = midnight(now).replace(year=year, month=month, day=1)
    return start, start + monthrange(year, month)[1] * DAY


def on_day(match: re.Match[str], now: datetime) -> Ends:
    """ "8 May 2023", "May 8th"."""
    month, day = month_of(match["month"]), int(match["day"])
    if match["year"]:
        return of_day(int(match["year"]), month, day, now)
    this = of_day(now.year, month, day, now)
    return of_day(now.year - 1, month, day, now) if this is None or this[0] > now else this


def on_iso_day(match: re.Match[str], now: datetime) -> Ends:
    """ "2023-05-08"."""
    return of_day(int(match["year"]), int(match["month"]), int(match["day"]), now)


def in_month(match: re.Match[str], now: datetime) -> Ends:
    """ "in May", "May 2023"."""
    month = month_of(match["month"])
    year = int(match["year"]) if match["year"] else now.year - (month > now.month)
    return of_month(year, month, now)


def in_year(match: re.Match[str], now: datetime) -> Ends:
    """ "in 2022"."""
    start = midnight(now).replace(year=int(match["year"]), month=1, day=1)
    return start, start.replace(year=start.year + 1)


def days_from_now(match: re.Match[str], now: datetime) -> Ends:
    """ "yesterday"."""
    start = midnight(now) - {"today": 0, "tonight": 0, "yesterday": 1}[match[0].lower()] * DAY
    return start, start + DAY


def last_weekday(match: re.Match[str], now: datetime) -> Ends:
    """The last such day before today."""
    back = (now.weekday() - DAYS.index(match["weekday"].lower())) % 7 or 7
    start = midnight(now) - back * DAY
    return start, start + DAY


def units_ago(match: re.Match[str], now: datetime) -> Ends:
    """ "three weeks ago": that day, give or take half a unit."""
    count, unit = number_of(match["count"]), match["unit"].lower()
    length = {"day": 1, "week": 7, "month": 30.4, "year": 365.25}[unit]
    days = count * length
    if days > 36_500:
        return None
    middle, half = midnight(now) - timedelta(days=days), timedelta(days=length / 2 if unit != "day" else 0)
    return middle - half, middle + half + DAY


def last_unit(match: re.Match[str], now: datetime) -> Ends:
    """ "last week", "this month": by the calendar, weeks from Monday."""
    back, unit, today = (match["which"].lower() == "last"), match["unit"].lower(), midnight(now)
    if unit == "week":
        start = today - today.weekday() * DAY - (7 * DAY if back else 0 * DAY)
        return start, start + 7 * DAY
    if unit == "weekend":
        start = today - today.weekday() * DAY + (5 - (7 if back or now.weekday() < 5 else 0)) * DAY
        return start, start + 2 * DAY
    if unit == "month":
        months = now.year * 12 + now.month - 1 - back
        return of_month(months // 12, months % 12 + 1, now)
    start = today.replace(year=now.year - back, month=1, day=1)
    return start, start.replace(year=start.year + 1)


def form(pattern: str) -> re.Pattern[str]:
    """The pattern, whatever the case."""
    return re.compile(pattern, re.IGNORECASE)


FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], datetime], Ends]], ...] = (
    (form(rf"\b{YEAR}-(?P<month>\d\d)-(?P<day>\d\d)\b"), on_iso_day),
    (form(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month>{MONTH})(?:,?\s+{YEAR})?\b"), on_day),
    (form(rf"\b(?P<month>{MONTH})\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,?\s+{YEAR})?\b"), on_day),
    (form(rf"\b(?P<month>{MONTH}),?\s+(?:of\s+)?{YEAR}\b"), in_month),
    (form(rf"\b(?:{BEFORE_A_MONTH})[ -](?P<month>{MONTH})\b(?P<year>(?!))?"), in_month),
    (form(rf"\b(?:last|on|this|past)\s+(?P<weekday>{'|'.join(DAYS)})\b"), last_weekday),
    (form(rf"\b(?P<count>{COUNT})(?:\s+of)?\s+(?P<unit>day|week|month|year)s?\s+ago\b"), units_ago),
    (form(r"\b(?P<which>last|this)\s+(?P<unit>weekend|week|month|year)\b"), last_unit),
    (form(r"\b(?:today|tonight|yesterday)\b"), days_from_now),
    (form(rf"\b(?:in|of|during|since|before|after|around|by)\s+{YEAR}\b"), in_year),
)
SESSION = form(
    rf"\b(?:(?P<count>{COUNT})\s+(?:sessions?|conversations?|chats?|talks?)\s+ago"
    r"|(?:last|previous)\s+(?:session|conversation|chat|talk)|last\s+time\s+we\s+(?:talked|spoke|met))\b"
)
