from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from pagemind.toolbox import Syscalls
from pagemind.toolbox.schemas import NotATool, describe


class Colour(Enum):
    red = "red"
    blue = "blue"


@dataclass
class Place:
    name: str
    title: str = ""


class Trip(BaseModel):
    to: Place
    pattern: str = Field(max_length=3, pattern="a+")


class Tree(BaseModel):
    children: list[Tree]


def schema_of(annotation: Any) -> Any:
    def it(value: Any) -> None:
        """Do it."""

    it.__annotations__["value"] = annotation
    return describe(it)[0].parameters["properties"]["value"]


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a"], {"type": "string", "enum": ["a"]}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (datetime, {"type": "string", "format": "date-time"}),
        (Colour, {"type": "string", "enum": ["red", "blue"]}),
        (str | None, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (Annotated[str, Field(max_length=3, min_length=1, pattern="a")], {"type": "string"}),
    ],
)
def test_a_type_has_this_schema(annotation: Any, schema: dict[str, Any]) -> None:
    assert schema_of(annotation) == schema


def test_nested_models_stand_in_place_without_references_and_keep_their_names() -> None:
    assert schema_of(Trip) == {
        "type": "object",
        "properties": {
            "to": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "title": {"type": "string"}},
                "required": ["name"],
                "additionalProperties": False,
            },
            "pattern": {"type": "string"},
        },
        "required": ["to", "pattern"],
        "additionalProperties": False,
    }


async def weather(system: Syscalls, city: str, days: int = 3, unit: str | None = None, *, call_key: str) -> str:
    """Look the weather up.

    Use it for today and the days after.

    Args:
        city (str): Which city,
            with its country.
        days: How many days.

    Returns:
        One line a day.

    Raises:
        ValueError: never shown.
    """
    return f"{city} {days} {unit} {call_key} {system.agent_name}"


def test_a_tool_is_described_by_its_signature_and_docstring() -> None:
    schema, arguments = describe(weather)
    assert schema.name == "weather"
    assert schema.description == "Look the weather up.\n\nUse it for today and the days after.\n\nReturns: One line a day."
    assert schema.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Which city, with its country."},
            "days": {"type": "integer", "description": "How many days."},
            "unit": {"type": "string"},
        },
        "required": ["city"],
        "additionalProperties": False,
    }
    assert (arguments.system, arguments.takes_key) == ("system", True)


def no_docstring(a: str) -> str:
    return a


def many(*args: str) -> None:
    """Many."""


def sync_system(system: Syscalls) -> None:
    """Sync."""


def endless(tree: Tree) -> None:
    """Endless."""


async def piecewise() -> AsyncIterator[int]:
    """Piecewise."""
    yield 1


class Opaque:
    """No JSON form."""


def odd(value: Opaque) -> None:
    """Odd."""


@pytest.mark.parametrize(
    ("function", "fix"),
    [
        (no_docstring, "Fix: add a docstring"),
        (many, "Fix: use plain named parameters"),
        (sync_system, "Fix: write `async def sync_system"),
        (endless, "Fix: use a type that ends"),
        (piecewise, "Fix: return a list"),
        (odd, "Fix: use str, int"),
    ],
)
def test_what_cannot_be_a_tool_says_why_with_one_fix(function: Any, fix: str) -> None:
    with pytest.raises(NotATool, match=re.escape(fix)):
        describe(function)
