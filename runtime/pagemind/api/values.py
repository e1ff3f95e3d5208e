"""Values in requests that need more than a type: times that PostgreSQL has, objects that it can keep, texts with a limit."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from pagemind.records.text import clean_text

DEEPEST = 50
"""Levels of an object of a caller's own."""
MOST_VALUES = 10_000


def in_utc(moment: datetime) -> datetime:
    """The time in UTC, which it is taken to be in where it names no zone."""
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error


def storable(value: dict[str, Any]) -> dict[str, Any]:
    """The object without what JSON in PostgreSQL refuses: NUL, halves of characters, numbers that are none."""
    count = 0

    def kept(each: Any, depth: int) -> Any:
        nonlocal count
        count += 1
        if depth > DEEPEST or count > MOST_VALUES:
            raise ValueError(f"has more than {DEEPEST} levels or {MOST_VALUES} values")
        match each:
            case str():
                return clean_text(each)
            case float():
                return each if math.isfinite(each) else None
            case int():
                return each if abs(each) < 10**300 else None
            case dict():
                return {clean_text(str(name)): kept(inner, depth + 1) for name, inner in each.items()}  # pyright: ignore
            case list():
                return [kept(inner, depth + 1) for inner in each]  # pyright: ignore
            case _:
                return each

    return kept(value, 0)


def cleaned(text: str) -> str:
    """The text as the store keeps it."""
    return clean_text(text)


Moment = Annotated[datetime, AfterValidator(in_utc)]
Metadata = Annotated[dict[str, Any], AfterValidator(storable)]
"""An object of the caller's own, given back as it is."""
Name = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(cleaned)]
Words = Annotated[str, Field(max_length=10_000), AfterValidator(cleaned)]
"""A description, or instructions."""
Tag = Annotated[str, Field(max_length=500), AfterValidator(cleaned)]
Tags = Annotated[list[Tag], Field(max_length=200)]
