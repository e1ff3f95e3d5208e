"""References to secrets. A definition holds the name of a secret; the value is fetched when a call needs it, and never kept."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf, PlainSerializer, SecretStr, WithJsonSchema

from pagemind.errors import DefinitionError
from pagemind.settings import Settings, environment

REFERENCE_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
SECRET_PATTERN = rf"^\$\{{secret:{REFERENCE_NAME}\}}$"
MAX_SECRET_BYTES = 65_536


class SecretMissing(DefinitionError):
    """The secret {name!r} is not there.
    Fix: set the environment variable {name}, or write it to {file} with mode 0600."""

    code = "secret_missing"


class SecretExposed(DefinitionError):
    """The file {file} of the secret {name!r} can be read by others. Fix: chmod 600 {file}"""

    code = "secret_exposed"


@dataclass(frozen=True)
class SecretRef:
    """The name of a secret, never its value. Written ``${secret:NAME}``."""

    name: str

    def __str__(self) -> str:
        return f"${{secret:{self.name}}}"


def parse_secret(value: Any) -> SecretRef:
    """The reference that ``value`` writes; ValueError, without the value in it, if it is anything else."""
    if isinstance(value, SecretRef):
        return value
    if isinstance(value, str) and re.fullmatch(SECRET_PATTERN, value):
        return SecretRef(value.removeprefix("${secret:").removesuffix("}"))
    raise ValueError("must be a reference such as ${secret:OPENAI_API_KEY}, never the secret itself")


Secret = Annotated[
    InstanceOf[SecretRef],
    BeforeValidator(parse_secret),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": SECRET_PATTERN}),
]
"""A pydantic field that holds a ``SecretRef`` and is written as ``${secret:NAME}``."""


def resolve_secret(secret: SecretRef, settings: Settings) -> SecretStr:
    """The secret's value, from the environment or from the file ``secrets/NAME`` in the home folder.

    Raises SecretMissing, or SecretExposed when the file is open to other users. Reads each time and keeps nothing.
    """
    value = environment().get(secret.name)
    return SecretStr(value) if value else _from_file(secret, settings.home / "secrets" / secret.name)


def _from_file(secret: SecretRef, file: Path) -> SecretStr:
    try:
        with file.open("rb") as opened:
            if stat.S_IMODE(file.stat().st_mode) & 0o077:
                raise SecretExposed(name=secret.name, file=str(file))
            value = opened.read(MAX_SECRET_BYTES).decode().strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, UnicodeDecodeError):
        value = ""
    if not value:
        raise SecretMissing(name=secret.name, file=str(file))
    return SecretStr(value)
