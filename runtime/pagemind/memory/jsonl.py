"""JSON lines: each a memory with what is known of it, or a plain text. Pure."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn, cast

from pagemind.records.base import Json
from pagemind.records.text import clean_text

MOST_TAGS = 100
MOST_TAG_CHARS = 200
MOST_SOURCE_CHARS = 2_000
MOST_METADATA_CHARS = 65_536


class BadLine(Exception):
    """The line is none that can be imported; the message says why, for people."""


@dataclass(frozen=True)
class Entry:
    """What a line says. ``source`` is empty and ``created_at`` None where it does not say them."""

    text: str
    tags: tuple[str, ...] = ()
    created_at: datetime | None = None
    source: str = ""
    metadata: Json = field(default_factory=dict[str, Any])


def entry_of(line: str) -> Entry:
    """The memory of a line: a JSON string, or an object with ``text`` (or ``content``) and, where they are known, ``tags``,
    ``created_at`` (ISO 8601; UTC unless it says its zone), ``source`` and ``metadata``; other keys are passed over.

    Raises BadLine.
    """
    value = parsed(line)
    if isinstance(value, str):
        return Entry(said(value))
    if not isinstance(value, dict):
        raise BadLine(f"it is {kind(value)}, where an object or a string is wanted")
    given = cast("Json", value)
    return Entry(
        text=said(given.get("text", given.get("content"))),
        tags=tags_of(given.get("tags")),
        created_at=moment_of(given.get("created_at")),
        source=source_of(given.get("source")),
        metadata=metadata_of(given.get("metadata")),
    )


def parsed(line: str) -> object:
    """The line's JSON value. Numbers that JSON has no word for are refused: the database does, too."""
    try:
        return json.loads(line, parse_constant=no_number, parse_float=finite)
    except json.JSONDecodeError as error:
        raise BadLine(f"it is no JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise BadLine("it is nested too deeply") from None
    except ValueError as error:
        raise BadLine(f"it holds a number that cannot be stored: {error}"[:200]) from None


def no_number(name: str) -> NoReturn:
    """Refuse NaN and the infinities."""
    raise ValueError(name)


def finite(digits: str) -> float:
    """The number, unless it is beyond what a double holds."""
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits[:40])
    return number


def said(value: object) -> str:
    """The text, which must say something."""
    if value is None:
        raise BadLine("it has neither `text` nor `content`")
    if not isinstance(value, str):
        raise BadLine(f"its text is {kind(value)}, where a string is wanted")
    text = clean_text(value)
    if not text.strip():
        raise BadLine("its text is empty")
    return text


def tags_of(value: object) -> tuple[str, ...]:
    """The tags: strings, each once."""
    if value is None:
        return ()
    items = cast("list[object]", value) if isinstance(value, list) else []
    tags = [clean_text(tag) for tag in items if isinstance(tag, str)]
    if not isinstance(value, list) or len(tags) < len(items):
        raise BadLine("`tags` is no list of strings")
    if len(tags) > MOST_TAGS or any(len(tag) > MOST_TAG_CHARS for tag in tags):
        raise BadLine(f"`tags` has more than {MOST_TAGS} tags, or one of more than {MOST_TAG_CHARS} characters")
    return tuple(dict.fromkeys(tags))


def moment_of(value: object) -> datetime | None:
    """The time, in UTC."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadLine("`created_at` is no time of ISO 8601, such as 2026-05-01T09:00:00Z") from None


def source_of(value: object) -> str:
    """Where it comes from."""
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MOST_SOURCE_CHARS:
        raise BadLine(f"`source` is no string of at most {MOST_SOURCE_CHARS:,} characters")
    return clean_text(value)


def metadata_of(value: object) -> Json:
    """The object, with its texts made storable."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadLine(f"`metadata` is {kind(value)}, where an object is wanted")
    if len(json.dumps(value)) > MOST_METADATA_CHARS:
        raise BadLine(f"`metadata` takes more than {MOST_METADATA_CHARS:,} characters")
    return cast("Json", cleaned(cast("Json", value)))


def cleaned(value: object) -> object:
    """The JSON value with all its texts made storable."""
    match value:
        case str():
            return clean_text(value)
        case dict():
            return {clean_text(str(name)): cleaned(each) for name, each in cast("Json", value).items()}
        case list():
            return [cleaned(each) for each in cast("list[object]", value)]
        case _:
            return value


def kind(value: object) -> str:
    """What a JSON value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "a string"
