"""JSON Schema of a type as its annotation spells it: read from the syntax tree, nothing is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pagemind.records import Json

PLAIN: Mapping[str, Json] = {
    "str": {"type": "string"}, "int": {"type": "integer"}, "float": {"type": "number"}, "bool": {"type": "boolean"},
    "dict": {"type": "object"}, "Dict": {"type": "object"}, "Mapping": {"type": "object"}, "Any": {}, "object": {},
    "None": {"type": "null"}, "bytes": {"type": "string"}, "UUID": {"type": "string", "format": "uuid"},
    "datetime": {"type": "string", "format": "date-time"}, "date": {"type": "string", "format": "date"},
}  # fmt: skip
LISTS = {"list", "List", "Sequence", "Iterable", "set", "Set", "frozenset", "tuple", "Tuple", "Collection"}
DEEPEST = 12
MOST_TYPES = 2000
SPELLED_LIMIT_CHARS = 200


@dataclass(frozen=True)
class Known:
    """The classes that the source defines by name, and how many types may still be read."""

    classes: Mapping[str, ast.ClassDef]
    room: Iterator[int] = field(default_factory=lambda: iter(range(MOST_TYPES)))


class UnknownType(Exception):
    """The annotation names a type that has no JSON form that can be read from the source."""


def type_schema(annotation: ast.expr, known: Known, depth: int = 0) -> Json:
    """The schema of an annotation. Raises UnknownType, also for one that is too large or contains itself."""
    if depth > DEEPEST or next(known.room, None) is None:
        raise UnknownType("that is nested so deep or so large")
    match annotation:
        case ast.Constant(value=None):
            return PLAIN["None"]
        case ast.Constant(value=str() as text):
            return type_schema(parsed_type(text), known, depth + 1)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return any_of([type_schema(each, known, depth + 1) for each in (left, right)])
        case ast.Subscript(value=base, slice=inner):
            return generic_schema(annotation, name_of(base), inner, known, depth)
        case _:
            return named_schema(annotation, name_of(annotation), known, depth)


def parsed_type(text: str) -> ast.expr:
    """An annotation in quotes."""
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnknownType(text[:SPELLED_LIMIT_CHARS]) from error


def spelled(expression: ast.expr) -> str:
    """The expression as one would write it, as far as that is short."""
    try:
        return ast.unparse(expression)[:SPELLED_LIMIT_CHARS]
    except RecursionError:
        return "that is nested so deep"


def name_of(expression: ast.expr) -> str:
    """The last part of a dotted name."""
    match expression:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            raise UnknownType(spelled(expression))


def named_schema(annotation: ast.expr, name: str, known: Known, depth: int) -> Json:
    """A type without parameters: a plain one, a bare list, or a class of the source."""
    if name in PLAIN:
        return dict(PLAIN[name])
    if name in LISTS:
        return {"type": "array", "items": {"type": "string"}}
    if name in known.classes:
        return class_schema(known.classes[name], known, depth)
    raise UnknownType(spelled(annotation))


def generic_schema(whole: ast.expr, name: str, inner: ast.expr, known: Known, depth: int) -> Json:
    """A type with parameters."""
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name == "Literal":
        return literal_schema([part.value for part in parts if isinstance(part, ast.Constant)])
    if name in ("Annotated", "Required", "NotRequired", "Final"):
        return type_schema(parts[0], known, depth + 1)
    if name in ("dict", "Dict", "Mapping"):
        return {"type": "object"}
    schemas = [type_schema(part, known, depth + 1) for part in parts if not is_ellipsis(part)]
    if name == "Optional":
        return any_of([*schemas, PLAIN["None"]])
    if name == "Union":
        return any_of(schemas)
    if name in LISTS:
        return {"type": "array", "items": any_of([without_null(each) for each in schemas])}
    raise UnknownType(spelled(whole))


def is_ellipsis(part: ast.expr) -> bool:
    """Whether this is the ``...`` of ``tuple[int, ...]``."""
    return isinstance(part, ast.Constant) and part.value is ...


def literal_schema(values: list[object]) -> Json:
    """One of these values, which are of one type or of several."""
    kinds: dict[type[object], str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
    kept = [value for value in values if value is None or type(value) in kinds]
    types = {kinds[type(value)] for value in kept if value is not None}
    return {"type": types.pop(), "enum": kept} if len(types) == 1 else {"enum": kept}


def any_of(schemas: list[Json]) -> Json:
    """Any of the schemas, each once."""
    different = [each for number, each in enumerate(schemas) if each not in schemas[:number]]
    if {} in different:
        return {}
    return different[0] if len(different) == 1 else {"anyOf": different}


def without_null(schema: Json) -> Json:
    """The schema of what may be left out: then it need not offer ``null`` as well."""
    choices = [each for each in schema.get("anyOf", ()) if each != PLAIN["None"]]
    if not choices:
        return schema
    return any_of(choices)


def admits_null(schema: Json) -> bool:
    """Whether ``null`` is one of the choices."""
    return PLAIN["None"] in schema.get("anyOf", ()) or schema == PLAIN["None"]


def class_schema(found: ast.ClassDef, known: Known, depth: int) -> Json:
    """An enumeration of the source, or a class of annotated fields such as a pydantic model or a dataclass."""
    if any(isinstance(base, ast.Name | ast.Attribute) and name_of(base).endswith("Enum") for base in found.bases):
        assigned = [each.value for each in found.body if isinstance(each, ast.Assign)]
        return literal_schema([each.value for each in assigned if isinstance(each, ast.Constant)])
    properties: Json = {}
    required: list[str] = []
    for each in found.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            schema = type_schema(each.annotation, known, depth + 1)
            words, has_default = field_default(each.value)
            name = each.target.id
            properties[name] = {**without_null(schema), **({"description": words} if words else {})}
            if not has_default:
                required.append(name)
    return {"type": "object", "properties": properties, "required": required}


def field_default(value: ast.expr | None) -> tuple[str, bool]:
    """The words of ``Field(description=...)``, and whether the field has a default."""
    if not (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Name | ast.Attribute) and name_of(value.func) == "Field"
    ):
        return "", value is not None
    keywords = {each.arg: each.value for each in value.keywords}
    words = keywords.get("description")
    given = value.args[0] if value.args else keywords.get("default", keywords.get("default_factory"))
    text = words.value if isinstance(words, ast.Constant) and isinstance(words.value, str) else ""
    return text, given is not None and not is_ellipsis(given)
