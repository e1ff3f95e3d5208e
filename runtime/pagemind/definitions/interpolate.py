"""``${VAR}``, ``${VAR:-default}``, ``${secret:NAME}`` and ``$${`` in the text of a definition.

It works on a text that is parsed already, so that no value can add YAML, and what it puts in is not looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pagemind.definitions.secrets import REFERENCE_NAME, SecretRef

_MARK = re.compile(r"\$\$\{|\$\{(?P<inside>[^}]*)(?P<end>\})?")
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-(?P<value>.*))?", re.DOTALL)
_SECRET = re.compile(rf"secret:(?P<name>{REFERENCE_NAME})")


@dataclass(frozen=True)
class Unfilled(Exception):
    """A reference that cannot be filled in. ``number`` counts the ``${`` of the text from 0."""

    message: str
    number: int


def fill(text: str, environment: Mapping[str, str]) -> str | SecretRef:
    """The text with its variables filled in; a SecretRef if it is one. Unfilled if one is missing or misspelt."""
    pieces: list[str] = []
    place = 0
    for number, mark in enumerate(_MARK.finditer(text)):
        pieces.append(text[place : mark.start()])
        place = mark.end()
        if mark["inside"] is None:
            pieces.append("${")
            continue
        if mark["end"] is None:
            raise Unfilled("'${' without its '}' (write '$${' for a plain '${')", number)
        secret = _SECRET.fullmatch(mark["inside"])
        if secret and mark.group() == text:
            return SecretRef(secret["name"])
        if secret:
            raise Unfilled("a ${secret:...} must be the whole value", number)
        pieces.append(_value(mark["inside"], environment, number))
    return "".join([*pieces, text[place:]])


def escape(text: str) -> str:
    """The text as ``fill`` leaves it unchanged."""
    return text.replace("${", "$${")


def _value(inside: str, environment: Mapping[str, str], number: int) -> str:
    variable = _VARIABLE.fullmatch(inside)
    if variable is None:
        raise Unfilled(f"cannot read '${{{inside[:60]}}}': it is ${{VAR}}, ${{VAR:-default}} or ${{secret:NAME}}", number)
    value = environment.get(variable["name"])
    if variable["default"] is not None:
        return value or variable["value"]
    if value is None:
        name = variable["name"]
        raise Unfilled(f"the environment variable {name} is not set (set it, or write ${{{name}:-default}})", number)
    return value
