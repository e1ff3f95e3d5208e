from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pagemind.memory.dates import Span, fit, sessions_ago, spans_of

WEDNESDAY = datetime(2023, 10, 18, 15, 30, tzinfo=UTC)


def named(query: str) -> list[tuple[str, str]]:
    """First and last day of each time that the query names."""
    day = timedelta(days=1)
    return [(f"{span.start:%Y-%m-%d}", f"{span.end - day:%Y-%m-%d}") for span in spans_of(query, WEDNESDAY)]


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("What did we say on 8 May 2023?", "2023-05-08", "2023-05-08"),
        ("on the 3rd of August, 2022", "2022-08-03", "2022-08-03"),
        ("May 8th", "2023-05-08", "2023-05-08"),
        ("Dec 25", "2022-12-25", "2022-12-25"),
        ("2023-05-08", "2023-05-08", "2023-05-08"),
        ("29 February 2024", "2024-02-29", "2024-02-29"),
        ("Where was she in May?", "2023-05-01", "2023-05-31"),
        ("in November", "2022-11-01", "2022-11-30"),
        ("July, 2021", "2021-07-01", "2021-07-31"),
        ("in Sept.", "2023-09-01", "2023-09-30"),
        ("since 2019", "2019-01-01", "2019-12-31"),
        ("yesterday", "2023-10-17", "2023-10-17"),
        ("What did I ask today?", "2023-10-18", "2023-10-18"),
        ("last Tuesday", "2023-10-17", "2023-10-17"),
        ("on Wednesday", "2023-10-11", "2023-10-11"),
        ("two weeks ago", "2023-09-30", "2023-10-07"),
        ("a day ago", "2023-10-17", "2023-10-17"),
        ("last week", "2023-10-09", "2023-10-15"),
        ("this week", "2023-10-16", "2023-10-22"),
        ("last weekend", "2023-10-14", "2023-10-15"),
        ("last month", "2023-09-01", "2023-09-30"),
        ("last year", "2022-01-01", "2022-12-31"),
    ],
)
def test_a_query_names_a_time(query: str, first: str, last: str) -> None:
    assert named(query) == [(first, last)]


@pytest.mark.parametrize(
    "query",
    ["", "what may happen", "we march on", "Marcus", "99999 days ago", "room 12", "0000-00-00", "31/02/2023", "😀", "may"],
)
def test_a_query_names_no_time(query: str) -> None:
    assert named(query) == []


def test_a_day_that_there_never_was_is_of_its_month_still() -> None:
    assert named("31 February 2023") == [("2023-02-01", "2023-02-28")]


def test_a_query_names_two_times() -> None:
    assert named("in July, 2023 and on 3rd of August?") == [("2023-08-03", "2023-08-03"), ("2023-07-01", "2023-07-31")]


def test_a_query_of_any_length_is_read_at_once() -> None:
    assert named("in May " + "last " * 100_000) == [("2023-05-01", "2023-05-31")]


@pytest.mark.parametrize(
    ("query", "count"),
    [("what did we settle three sessions ago", 3), ("our last conversation", 1), ("the last time we talked", 1), ("lately", 0)],
)
def test_sessions_are_counted_back(query: str, count: int) -> None:
    asked = sessions_ago(query)
    assert (asked.count if asked else 0) == count


def test_what_happens_is_told_of_afterwards() -> None:
    day = Span(datetime(2023, 5, 8, tzinfo=UTC), datetime(2023, 5, 9, tzinfo=UTC), "8 May 2023")
    at = {days: fit(day.start + timedelta(days=days), [day]) for days in (-9, 0, 1, 5, 20, 60)}
    assert at == {-9: 0.0, 0: 1.0, 1: 0.85, 5: 0.7, 20: 0.3, 60: 0.0}
    sitting = replace(day, exact=True)
    assert [fit(day.start + timedelta(hours=hours), [sitting]) for hours in (-1, 0, 23, 24)] == [0.0, 1.0, 1.0, 0.0]


def test_a_day_without_a_year_is_every_years() -> None:
    (span,) = spans_of("on 8 May", WEDNESDAY)
    assert fit(datetime(2019, 5, 8, tzinfo=UTC), [span]) == 1.0
    (dated,) = spans_of("on 8 May 2023", WEDNESDAY)
    assert fit(datetime(2019, 5, 8, tzinfo=UTC), [dated]) == 0.0
