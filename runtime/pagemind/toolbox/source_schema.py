"""What the model sees of a tool that came as source: derived by parsing it, never by running it."""

from __future__ import annotations

import ast
import inspect
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from pagemind.errors import BadToolSource
from pagemind.records import Json
from pagemind.toolbox.source_docstrings import SourceDocstring, read_docstring
from pagemind.toolbox.source_types import Known, UnknownType, admits_null, type_schema, without_null

FILLED_IN = {"self", "agent_state"}
"""Parameters that whoever runs the tool fills in; the model does not see them."""
DEEPEST_SCHEMA = 30
MOST_NODES = 5000

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class SourceSchema:
    """A tool's name, its description and the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: Json


def derive_schema(source: str, arguments: Json | None = None) -> SourceSchema:
    """The schema of the tool that the source defines: its last public function. Raises BadToolSource.

    ``arguments`` is a JSON Schema of its arguments that goes before what its signature says.
    """
    tree = parsed(source)
    function = tool_function(tree)
    docstring = ast.get_docstring(function, clean=False)
    if docstring is None:
        raise BadToolSource(f"Function {function.name} missing docstring")
    if arguments:
        whole = inspect.cleandoc(docstring)
        return SourceSchema(function.name, whole, given_parameters(arguments))
    read = read_docstring(docstring)
    known = Known({each.name: each for each in tree.body if isinstance(each, ast.ClassDef)})
    parameters = function_parameters(function, read, known)
    return SourceSchema(function.name, read.description or "No description available", parameters)


def parsed(source: str) -> ast.Module:
    """The source's syntax tree; BadToolSource where it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadToolSource(f"Failed to parse source code: {error}") from error


def tool_function(tree: ast.Module) -> Function:
    """The last public function of the source, or its last one where none is public."""
    functions = [each for each in tree.body if isinstance(each, Function)]
    if not functions:
        raise BadToolSource("No functions found in source code")
    return next((each for each in reversed(functions) if not each.name.startswith("_")), functions[-1])


def function_parameters(function: Function, words: SourceDocstring, known: Known) -> Json:
    """The JSON Schema of a function's arguments."""
    properties: Json = {}
    required: list[str] = []
    for parameter, default in with_defaults(function.args):
        if parameter.arg in FILLED_IN:
            continue
        schema = parameter_schema(function.name, parameter, known)
        if parameter.arg not in words.arguments:
            raise BadToolSource(
                "Value error in schema generation: "
                f"Parameter '{parameter.arg}' in function '{function.name}' lacks a description in the docstring"
            )
        properties[parameter.arg] = {**without_null(schema), "description": words.arguments[parameter.arg]}
        if default is None and not admits_null(schema):
            required.append(parameter.arg)
    return {"type": "object", "properties": properties, "required": required}


def with_defaults(given: ast.arguments) -> list[tuple[ast.arg, ast.expr | None]]:
    """The named parameters with their defaults. A model cannot give what has no name."""
    if given.posonlyargs:
        raise BadToolSource(f"Parameter '{given.posonlyargs[0].arg}' has no name for a model: use plain named parameters")
    without = len(given.args) - len(given.defaults)
    by_place = zip(given.args, [*[None] * without, *given.defaults], strict=True)
    return [*by_place, *zip(given.kwonlyargs, given.kw_defaults, strict=True)]


def parameter_schema(name: str, parameter: ast.arg, known: Known) -> Json:
    """The schema of one parameter's type."""
    if parameter.annotation is None:
        raise BadToolSource(
            f"Type error in schema generation: Parameter '{parameter.arg}' in function '{name}' lacks a type annotation"
        )
    try:
        return type_schema(parameter.annotation, known)
    except UnknownType as error:
        raise BadToolSource(
            f"Value error in schema generation: Python type {error} has no corresponding JSON schema type"
        ) from error


def given_parameters(arguments: Json) -> Json:
    """A JSON Schema that came with the source, such as a pydantic model's, without references and titles."""
    plain: Any = resolved(arguments, arguments.get("$defs", {}), iter(range(MOST_NODES)), 0)
    return {"type": "object", "properties": plain.get("properties", {}), "required": plain.get("required", [])}


def resolved(schema: Any, definitions: Any, room: Iterator[int], depth: int) -> Any:
    """The schema with its references replaced by what they refer to; ``room`` is how many values it may still have."""
    if depth > DEEPEST_SCHEMA or next(room, None) is None:
        raise BadToolSource("the schema of the arguments is too large, or it contains itself")
    if isinstance(schema, list):
        return [resolved(each, definitions, room, depth + 1) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    given = cast("Json", schema)
    if isinstance(reference := given.get("$ref"), str) and isinstance(definitions, dict):
        target: Any = cast("Json", definitions).get(reference.rsplit("/", 1)[-1])
        others = {key: value for key, value in given.items() if key != "$ref"}
        given = {**cast("Json", target), **others} if isinstance(target, dict) else others
    return {
        key: (
            {name: resolved(each, definitions, room, depth + 1) for name, each in cast("Json", value).items()}
            if key == "properties" and isinstance(value, dict)
            else resolved(value, definitions, room, depth + 1)
        )
        for key, value in given.items()
        if key != "$defs" and not (key == "title" and isinstance(value, str))
    }
