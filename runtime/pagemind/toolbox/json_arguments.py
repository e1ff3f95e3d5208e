"""From a tool's JSON Schema to what checks its arguments: for tools that are no functions of this process.

As lenient as for functions where models err without doubt about the meaning; what a schema says beyond types, names and
choices is left to the tool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, Union, cast

from pydantic import ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from pagemind.records import Json
from pagemind.toolbox.schemas import Arguments

PLAIN: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "object": dict[str, Any],
    "null": type(None),
}
MOST_NESTED = 8


def arguments_of(name: str, parameters: Json, *, others: bool) -> Arguments:
    """The checker for the arguments of a tool with these ``parameters``; ``others`` lets through what they do not name."""
    properties: Json = as_object(parameters.get("properties"))
    required = {str(each) for each in as_list(parameters.get("required"))}
    fields: dict[str, Any] = {}
    for each, schema in properties.items():
        annotation = annotation_of(as_object(schema), MOST_NESTED)
        fields[each] = annotation if each in required else NotRequired[annotation]
    shape: Any = TypedDict(f"{name}_arguments", fields)  # pyright: ignore[reportArgumentType, reportGeneralTypeIssues]
    shape.__pydantic_config__ = ConfigDict(extra="allow" if others else "forbid", coerce_numbers_to_str=True)
    optional = frozenset(each for each, schema in properties.items() if each not in required and not admits_null(schema))
    return Arguments(TypeAdapter(shape), tuple(properties), optional, None, takes_key=False)


def annotation_of(schema: Json, depth: int) -> Any:
    """The type that a schema stands for; Any for one that says none, or is nested too deep."""
    choices = as_list(schema.get("enum"))
    if choices and all(isinstance(each, str | int | bool) for each in choices):
        return Literal[tuple(choices)]
    one_of = as_list(schema.get("anyOf") or schema.get("oneOf"))
    if one_of and depth:
        return union([annotation_of(as_object(each), depth - 1) for each in one_of])
    kind: object = schema.get("type")
    if as_list(kind) and depth:
        return union([annotation_of({**schema, "type": each}, depth - 1) for each in as_list(kind)])
    if kind == "array":
        return list[annotation_of(as_object(schema.get("items")), depth - 1)] if depth else list[Any]
    return PLAIN.get(kind, Any) if isinstance(kind, str) else Any


def union(types: Sequence[Any]) -> Any:
    """Any one of the types, tried in their order."""
    return Annotated[Union[tuple(types)], Field(union_mode="left_to_right")] if len(types) > 1 else types[0]  # noqa: UP007


def admits_null(schema: object) -> bool:
    """Whether ``null`` is a value of the schema."""
    given = as_object(schema)
    kind, one_of = given.get("type"), as_list(given.get("anyOf") or given.get("oneOf"))
    if one_of:
        return any(admits_null(each) for each in one_of)
    return kind is None or kind == "null" or "null" in as_list(kind)


def as_list(value: object) -> list[Any]:
    """A JSON array, or an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_object(value: object) -> Json:
    """A JSON object, or an empty one."""
    return cast("Json", value) if isinstance(value, dict) else {}
