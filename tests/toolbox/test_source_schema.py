"""What the model sees of a tool that came as source: read from its text, which is never run."""

from __future__ import annotations

import pytest

from pagemind.errors import BadToolSource
from pagemind.records import Json
from pagemind.toolbox.source_docstrings import read_docstring
from pagemind.toolbox.source_schema import derive_schema

CLASSES = """
from enum import Enum
from pydantic import BaseModel, Field
class Colour(Enum):
    RED = "red"
    BLUE = "blue"
class Item(BaseModel):
    name: str = Field(..., description="its name")
    count: int = 1
"""


def type_of(annotation: str, default: str = "") -> Json:
    source = f'{CLASSES}\ndef f(x: {annotation}{default}):\n    """Does it.\n\n    Args:\n        x: the x\n    """\n'
    schema: Json = derive_schema(source).parameters["properties"]["x"]
    assert schema.pop("description") == "the x"
    return schema


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        ("str", {"type": "string"}),
        ("int", {"type": "integer"}),
        ("float", {"type": "number"}),
        ("bool", {"type": "boolean"}),
        ("dict", {"type": "object"}),
        ("Dict[str, int]", {"type": "object"}),
        ("typing.Any", {}),
        ("list", {"type": "array", "items": {"type": "string"}}),
        ("List[int]", {"type": "array", "items": {"type": "integer"}}),
        ("list[list[float]]", {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
        ("List[Optional[int]]", {"type": "array", "items": {"type": "integer"}}),
        ("tuple[int, ...]", {"type": "array", "items": {"type": "integer"}}),
        ("Optional[str]", {"type": "string"}),
        ("str | None", {"type": "string"}),
        ("Union[int, str]", {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        ("Literal['a', 'b']", {"type": "string", "enum": ["a", "b"]}),
        ("Literal[1, 'b']", {"enum": [1, "b"]}),
        ("'int'", {"type": "integer"}),
        ("Annotated[int, 'words']", {"type": "integer"}),
        ("datetime", {"type": "string", "format": "date-time"}),
        ("Colour", {"enum": ["red", "blue"], "type": "string"}),
        (
            "Item",
            {
                "type": "object",
                "properties": {"name": {"type": "string", "description": "its name"}, "count": {"type": "integer"}},
                "required": ["name"],
            },
        ),
    ],
)
def test_each_type_has_its_schema(annotation: str, schema: Json) -> None:
    assert type_of(annotation) == schema


def test_what_has_a_default_or_may_be_none_is_not_required() -> None:
    source = '''
def f(a: int, b: int = 2, c: Optional[str] = None, *, d: str | None, e: float = 1.5):
    """Does it.

    Args:
        a: one
        b: two
        c: three
        d: four
        e: five
    """
'''
    assert derive_schema(source).parameters["required"] == ["a"]


GOOGLE = """Looks a day up.

Goes on for a while.

Args:
    day (Optional[Dict[str, int]]): which day
        exactly
    zone: where

Returns:
    str: the day

Raises:
    ValueError: never
"""
NUMPY = """Looks a day up.

Goes on for a while.

Parameters
----------
day : str
    which day
    exactly
zone
    where

Returns
-------
str
    the day
"""
SPHINX = """Looks a day up.

Goes on for a while.

:param str day: which day
    exactly
:type zone: str
:param zone: where
:returns: the day
"""


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, SPHINX])
def test_docstrings_of_all_three_styles_are_read(text: str) -> None:
    read = read_docstring(text)
    assert read.description == "Looks a day up.\n\nGoes on for a while."
    assert read.arguments == {"day": "which day\nexactly", "zone": "where"}


def test_the_last_public_function_is_the_tool_and_agent_state_is_not_for_the_model() -> None:
    source = '''
def first(a: int):
    """First."""
async def second(agent_state: "AgentState", q: str) -> str:
    """Second.

    Args:
        agent_state: whoever
        q (str): what
    """
def _third():
    pass
'''
    derived = derive_schema(source)
    assert (derived.name, derived.description) == ("second", "Second.")
    assert derived.parameters == {
        "type": "object",
        "properties": {"q": {"type": "string", "description": "what"}},
        "required": ["q"],
    }


def test_nothing_of_the_source_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    source = (
        'print("run")\nraise SystemExit\ndef f(x: int = print("run")):\n    """Does it.\n\n    Args:\n        x: y\n    """\n'
    )
    assert derive_schema(source).name == "f"
    assert capsys.readouterr().out == ""


def test_a_schema_of_the_arguments_goes_before_the_signature_and_loses_its_references() -> None:
    schema = {
        "title": "Arguments",
        "$defs": {"Item": {"title": "Item", "type": "object", "properties": {"title": {"type": "string", "title": "Title"}}}},
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/Item"}, "description": "them"}},
        "required": ["items"],
    }
    derived = derive_schema('def f(items: list):\n    """Takes items."""\n', schema)
    assert derived.description == "Takes items."
    assert derived.parameters == {
        "type": "object",
        "properties": {
            "items": {
                "type": "array",
                "items": {"type": "object", "properties": {"title": {"type": "string"}}},
                "description": "them",
            }
        },
        "required": ["items"],
    }


def test_a_schema_that_contains_itself_is_refused() -> None:
    node = {"type": "object", "properties": {"a": {"$ref": "#/$defs/N"}, "b": {"$ref": "#/$defs/N"}}}
    with pytest.raises(BadToolSource, match="cannot be derived"):
        derive_schema(
            'def f(n: dict):\n    """Takes a tree."""\n', {"$defs": {"N": node}, "properties": {"n": {"$ref": "#/$defs/N"}}}
        )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f(:", "Failed to parse source code: invalid syntax (<unknown>, line 1)"),
        ("x = 1", "No functions found in source code"),
        ("def f(a: int):\n    return a", "Function f missing docstring"),
        ('def f(a):\n    """D.\n\n    Args:\n        a: b\n    """', "Parameter 'a' in function 'f' lacks a type annotation"),
        ('def f(a: int):\n    """D."""', "Parameter 'a' in function 'f' lacks a description in the docstring"),
        (
            'def f(a: Foo):\n    """D.\n\n    Args:\n        a: b\n    """',
            "Python type Foo has no corresponding JSON schema type",
        ),
        ("(" * 100_000, "Failed to parse source code"),
        ("\0", "Failed to parse source code"),
    ],
)
def test_a_source_that_is_no_tool_says_why(source: str, words: str) -> None:
    with pytest.raises(BadToolSource) as caught:
        derive_schema(source)
    assert words in caught.value.evidence


def test_types_that_grow_without_end_are_refused_at_once() -> None:
    fields = "".join(f"    f{n}: LEAF\n" for n in range(10))
    classes = "".join(f"class A{n}:\n{fields.replace('LEAF', f'A{n - 1}' if n else 'int')}" for n in range(11))
    with pytest.raises(BadToolSource) as caught:
        derive_schema(f'{classes}\ndef f(a: A10):\n    """D.\n\n    Args:\n        a: b\n    """\n')
    assert "so deep or so large" in caught.value.evidence
    with pytest.raises(BadToolSource):
        derive_schema(f'def f(a: {"int|" * 20_000 + "int"!r}):\n    """D.\n\n    Args:\n        a: b\n    """\n')
