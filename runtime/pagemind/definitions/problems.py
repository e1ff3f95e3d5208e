"""What is wrong with a definition, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pagemind.errors import DefinitionError


@dataclass(frozen=True, order=True)
class Position:
    """A place in a file; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong at one place."""

    file: str
    position: Position
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.position.line}:{self.position.column}: {self.message}"

    def as_dict(self) -> dict[str, str | int]:
        """The problem as JSON values."""
        return {
            "file": self.file,
            "line": self.position.line,
            "column": self.position.column,
            "message": self.message,
        }


class InvalidDefinition(DefinitionError):
    """The definition {where} is not valid. Fix: correct what is named at file:line:column."""

    code = "invalid_definition"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        files = list(dict.fromkeys(problem.file for problem in self.problems))
        super().__init__("\n".join(map(str, self.problems)), where=", ".join(files))


class NoDefinition(DefinitionError):
    """There is no definition at {where}. Fix: name a YAML file, or a folder that holds some."""

    code = "no_definition"
