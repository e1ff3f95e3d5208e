"""A call's arguments: from the model's text to checked, clean values, or to words that tell the model what to mend.

Lenient where models err without doubt about the meaning: ``"5"`` for an integer, ``5`` for a text, ``"true"`` for a boolean,
``null`` for an argument that has a default, nothing at all for a tool without arguments.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pagemind.records.text import clean_text
from pagemind.toolbox.schemas import Arguments

ARGUMENTS_LIMIT_CHARS = 100_000
FAULTS_SHOWN = 4


class BadArguments(Exception):
    """A call cannot run; the message tells the model why and what to do instead."""


def checked_arguments(tool: str, arguments: Arguments, text: str) -> dict[str, Any]:
    """The values that a call's JSON text stands for; what it leaves out is absent. Raises BadArguments."""
    if len(text) > ARGUMENTS_LIMIT_CHARS:
        raise BadArguments(
            f"the arguments of {tool} have {len(text)} characters and at most {ARGUMENTS_LIMIT_CHARS} are accepted. "
            "Write less, or split it over several calls."
        )
    given = _parsed(tool, text)
    known = {key: value for key, value in given.items() if value is not None or key not in arguments.null_is_default}
    try:
        return arguments.adapter.validate_python(known)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        faults = "; ".join(_fault(each, arguments.names) for each in details[:FAULTS_SHOWN])
        raise BadArguments(f"the arguments of {tool} do not fit: {faults}. Call it again with these mended.") from error


def names_like(name: str, names: Sequence[str], *, none: str) -> str:
    """A hint at the name that was meant, or else at those that there are."""
    if close := difflib.get_close_matches(name, names, n=1):
        return f"Did you mean {close[0]!r}?"
    return f"Use one of: {', '.join(names)}." if names else f"There is none: {none}."


def _parsed(tool: str, text: str) -> dict[str, Any]:
    """The JSON object with every text in it cleaned. Text that is no JSON, or a number that is none, is refused."""
    try:
        value: Any = json.loads(text, parse_constant=_no_constant) if text.strip() else {}
        cleaned = _cleaned(value)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise BadArguments(
            f"the arguments of {tool} are not valid JSON ({reason}). Write one JSON object, with quotes and line breaks "
            "inside texts escaped."
        ) from error
    if not isinstance(cleaned, dict):
        raise BadArguments(f'the arguments of {tool} are not a JSON object. Write them as {{"name": value}}.')
    return cleaned  # pyright: ignore[reportUnknownVariableType]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_cleaned(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value


def _fault(detail: ErrorDetails, names: Sequence[str]) -> str:
    """One fault in a few words; ``names`` are the arguments that there are."""
    where = ".".join(str(part) for part in detail["loc"]) or "arguments"
    if detail["type"] == "missing":
        return f"{where!r} is missing"
    if detail["type"] == "extra_forbidden":
        hint = names_like(where, names, none="it takes no arguments") if len(detail["loc"]) == 1 else "Leave it out."
        return f"there is no argument {where[:100]!r} ({hint})"
    message = detail["msg"]
    return f"{where!r}: {message[:1].lower()}{message[1:]}"
