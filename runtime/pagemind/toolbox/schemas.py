"""From a function to what the model sees of it and to what checks the model's arguments."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, PydanticUserError, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic_core import SchemaError
from typing_extensions import TypedDict

from pagemind.records import ToolSchema
from pagemind.toolbox.docstrings import parse_docstring
from pagemind.toolbox.marking import AnyFunction
from pagemind.toolbox.syscalls import Syscalls

KEY_PARAMETER = "call_key"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HIDDEN_KINDS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
_TROUBLESOME = {"title", "default", "maxLength", "minLength", "pattern", "discriminator", "examples", "$defs"}
"""Keywords that break a tool parser of vLLM, or only cost tokens. Lengths are checked at the call."""
_KEPT_FORMATS = {"date-time", "date"}


class NotATool(Exception):
    """The function cannot be a tool; the message says why, with one fix."""


@dataclass(frozen=True)
class Arguments:
    """How to check and fill a tool's arguments.

    ``system`` and ``takes_key`` name what the runtime fills in; ``null_is_default`` are the parameters for which a model's
    ``null`` means "not given".
    """

    adapter: TypeAdapter[dict[str, Any]]
    names: tuple[str, ...]
    null_is_default: frozenset[str]
    system: str | None
    takes_key: bool


def describe(function: AnyFunction) -> tuple[ToolSchema, Arguments]:
    """The function's schema for the model and the checker of its arguments. Raises NotATool."""
    name = function.__name__
    if not _NAME.fullmatch(name):
        raise NotATool(f"the name {name!r} is not usable. Fix: at most 64 of the letters a-z, digits and underscores.")
    if not (function.__doc__ or "").strip():
        raise NotATool(
            f"{name} has no docstring, and the model would not know when to use it. "
            "Fix: add a docstring, or begin its name with an underscore if it is no tool."
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise NotATool(f"{name} yields, and a call has one result. Fix: return a list.")
    docstring = parse_docstring(function.__doc__ or "")
    hints = _hints(function)
    parameters = inspect.signature(function).parameters
    system = next((each for each in parameters if hints.get(each) is Syscalls), None)
    if system is not None and not inspect.iscoroutinefunction(function):
        raise NotATool(f"{name} asks for Syscalls but is not async. Fix: write `async def {name}(...)`.")
    shown = {each: p for each, p in parameters.items() if each not in {system, KEY_PARAMETER}}
    for parameter in shown.values():
        _check_parameter(name, parameter, hints)
    arguments = Arguments(
        adapter=_adapter(name, shown, hints, docstring.arguments),
        names=tuple(shown),
        null_is_default=frozenset(each for each, p in shown.items() if _has_default(p) and not _admits_none(hints[each])),
        system=system,
        takes_key=KEY_PARAMETER in parameters,
    )
    return ToolSchema(name, docstring.description, _json_schema(name, arguments.adapter)), arguments


def _hints(function: AnyFunction) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise NotATool(
            f"an annotation of {function.__name__} cannot be read ({error}). Fix: import its type plainly at the file's top."
        ) from error


def _check_parameter(name: str, parameter: inspect.Parameter, hints: Mapping[str, Any]) -> None:
    if parameter.kind in _HIDDEN_KINDS:
        raise NotATool(f"the parameter {parameter.name} of {name} has no name for a model. Fix: use plain named parameters.")
    if parameter.name not in hints:
        raise NotATool(
            f"the parameter {parameter.name} of {name} has no type. Fix: annotate it, for instance `{parameter.name}: str`."
        )


def _adapter(
    name: str, shown: Mapping[str, inspect.Parameter], hints: Mapping[str, Any], words: Mapping[str, str]
) -> TypeAdapter[dict[str, Any]]:
    """Checks a call's arguments as a typed dictionary, so that what is not given is left to the function's own defaults."""
    fields: dict[str, Any] = {}
    for each, parameter in shown.items():
        annotation = Annotated[hints[each], Field(description=words[each])] if words.get(each) else hints[each]
        fields[each] = NotRequired[annotation] if _has_default(parameter) else annotation
    shape: Any = TypedDict(f"{name}_arguments", fields)  # pyright: ignore[reportArgumentType, reportGeneralTypeIssues]
    # models write 5 where text is due as often as "5" where a number is due
    shape.__pydantic_config__ = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
    try:
        return TypeAdapter(shape)
    except (PydanticSchemaGenerationError, PydanticUserError, SchemaError, TypeError) as error:
        raise NotATool(_bad_type(name, error)) from error


def _json_schema(name: str, adapter: TypeAdapter[dict[str, Any]]) -> dict[str, Any]:
    try:
        raw = adapter.json_schema()
        schema = _simplified(raw, raw.get("$defs", {}), ())
    except (PydanticInvalidForJsonSchema, PydanticUserError) as error:
        raise NotATool(_bad_type(name, error)) from error
    required = schema.get("required", [])
    properties = {
        each: value if each in required else _without_null(value) for each, value in schema.get("properties", {}).items()
    }
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _simplified(schema: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    """The schema without references and without the keywords that parsers stumble over."""
    if isinstance(schema, list):
        return [_simplified(each, definitions, inside) for each in schema]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(schema, dict):
        return schema
    given: dict[str, Any] = schema  # pyright: ignore[reportUnknownVariableType]
    if "$ref" in given:
        target = str(given["$ref"]).rsplit("/", 1)[-1]
        if target in inside:
            raise NotATool(f"the type {target} contains itself. Fix: use a type that ends, or a str with JSON in it.")
        given = {**definitions[target], **{key: value for key, value in given.items() if key != "$ref"}}
        inside = (*inside, target)
    plain = {key: value for key, value in given.items() if key not in _TROUBLESOME}
    if plain.get("format") not in _KEPT_FORMATS:
        plain.pop("format", None)
    if "const" in plain:
        plain["enum"] = [plain.pop("const")]
    result = {key: _keyword(key, value, definitions, inside) for key, value in plain.items()}
    if "properties" in result:
        result.setdefault("required", [])
        result["additionalProperties"] = False
    return result


def _keyword(key: str, value: Any, definitions: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    """One keyword's value; the keys below ``properties`` are names of arguments, not keywords."""
    if key == "properties":
        return {name: _simplified(each, definitions, inside) for name, each in value.items()}
    return value if key in {"enum", "required"} else _simplified(value, definitions, inside)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an argument that may be left out: then it need not offer ``null`` as well."""
    choices = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {**choices[0], **{key: value for key, value in schema.items() if key != "anyOf"}}


def _has_default(parameter: inspect.Parameter) -> bool:
    return parameter.default is not inspect.Parameter.empty


def _admits_none(annotation: Any) -> bool:
    if annotation is None or annotation is type(None) or annotation is Any:
        return True
    if get_origin(annotation) is Annotated:
        return _admits_none(get_args(annotation)[0])
    return get_origin(annotation) in {Union, types.UnionType} and any(_admits_none(each) for each in get_args(annotation))


def _bad_type(name: str, error: Exception) -> str:
    first = str(error).strip().splitlines()[0]
    return (
        f"a type in the signature of {name} has no JSON form ({first}). Fix: use str, int, float, bool, Literal, list, dict, "
        "datetime, an Enum, or a dataclass or pydantic model of these."
    )
