"""From a file to a definition, or to everything that is wrong with it, each with its place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pagemind.definitions import document
from pagemind.definitions.document import Document, read_document
from pagemind.definitions.problems import InvalidDefinition, NoDefinition, Position, Problem
from pagemind.definitions.schema import (
    HINTS,
    AgentDefinition,
    BlockSpec,
    ConfidenceSpec,
    DaysSpec,
    DecaySpec,
    LimitsSpec,
    MemorySpec,
    ModelSpec,
    SearchSpec,
)
from pagemind.definitions.secrets import SecretRef

MAX_FILE_BYTES = 1 << 20
SUFFIXES = (".yaml", ".yml")
START = Position(1, 1)


@dataclass(frozen=True)
class Source:
    """A definition and the file it came from."""

    path: Path
    definition: AgentDefinition
    places: Mapping[document.Path, Position] = field(default_factory=dict[document.Path, Position])
    """Where each value stands."""

    def unknown_tools(self, known: Collection[str]) -> list[Problem]:
        """The tools that are not among ``known``: the agent simply would not have them."""
        return [
            Problem(
                str(self.path),
                self.places.get(("tools", index), START),
                f"there is no tool {tool!r}{_did_you_mean(tool, sorted(known))}",
            )
            for index, tool in enumerate(self.definition.tools)
            if tool not in known
        ]


def load(paths: Sequence[Path], environment: Mapping[str, str]) -> list[Source]:
    """The definitions in these files and folders (their ``*.yaml`` and ``*.yml``), by path.

    Raises InvalidDefinition with the problems of all of them, NoDefinition where there is nothing to read.
    """
    sources, problems = list[Source](), list[Problem]()
    for path in files_of(paths):
        try:
            sources.append(load_file(path, environment))
        except InvalidDefinition as invalid:
            problems += invalid.problems
    problems += _twice(sources)
    if problems:
        raise InvalidDefinition(problems)
    return sources


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files that ``paths`` mean, each once, in order. NoDefinition where one means none."""
    files: list[Path] = []
    for path in paths:
        inside = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES) if path.is_dir() else [path]
        if not inside or not all(file.exists() for file in inside):
            raise NoDefinition(where=str(path))
        files += inside
    return list(dict.fromkeys(files))


def load_file(path: Path, environment: Mapping[str, str]) -> Source:
    """The definition in one file; InvalidDefinition with all its problems."""
    try:
        with path.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidDefinition([Problem(str(path), START, f"cannot be read: {error.strerror}")]) from error
    return load_bytes(data, path, environment)


def load_bytes(data: bytes, path: Path, environment: Mapping[str, str]) -> Source:
    """The definition in a file's bytes. UTF-8, with or without a byte order mark, with any line ends."""
    if len(data) > MAX_FILE_BYTES:
        raise InvalidDefinition([Problem(str(path), START, f"the file is larger than {MAX_FILE_BYTES:,} bytes")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        place = Position(before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        raise InvalidDefinition([Problem(str(path), place, f"not UTF-8: the byte 0x{data[error.start]:02x}")]) from error
    return load_text(text.replace("\r\n", "\n"), path, environment)


def load_text(text: str, path: Path, environment: Mapping[str, str]) -> Source:
    """The definition in a text; InvalidDefinition with all its problems, those of the schema among them."""
    read = read_document(text, environment)
    problems = [Problem(str(path), place, message) for place, message in read.problems]
    if not isinstance(read.root, dict):
        problems = problems or [Problem(str(path), START, "an agent is a mapping of keys such as version, kind and name")]
        raise InvalidDefinition(problems)
    try:
        definition = AgentDefinition.model_validate(read.root)  # pyright: ignore[reportUnknownMemberType]
    except ValidationError as invalid:
        # What the YAML has said of a place is enough: the schema would only judge the value that stands in for it.
        told = {problem.position for problem in problems}
        errors = [one for one in invalid.errors() if one["type"] == "extra_forbidden" or one["loc"] not in read.refused]
        found = [_problem(str(path), read, error) for error in errors]
        raise InvalidDefinition([*problems, *(problem for problem in found if problem.position not in told)]) from None
    if problems:
        raise InvalidDefinition(problems)
    return Source(path, definition, read.values)


def _twice(sources: Sequence[Source]) -> list[Problem]:
    first: dict[str, Source] = {}
    problems: list[Problem] = []
    for source in sources:
        name = source.definition.name
        if name in first:
            place = source.places.get(("name",), START)
            problems.append(Problem(str(source.path), place, f"the agent {name!r} is also in {first[name].path}"))
        first.setdefault(name, source)
    return problems


# --- what the schema refuses ---------------------------------------------------------------------------------------------


def _problem(file: str, read: Document, error: ErrorDetails) -> Problem:
    path: document.Path = tuple(part for part in error["loc"] if part != "[key]")
    return Problem(file, _position(read, path, error), _message(path, error))


def _position(read: Document, path: document.Path, error: ErrorDetails) -> Position:
    """The key's place where the key or the whole mapping is wrong, else the value's; for what is missing, its parent's."""
    if error["type"] == "missing":
        path = path[:-1]
    about_key = error["type"] == "extra_forbidden" or "[key]" in error["loc"] or isinstance(error["input"], dict)
    for places in (read.keys, read.values) if about_key else (read.values, read.keys):
        if path in places:
            return places[path]
    return START


def _message(path: document.Path, error: ErrorDetails) -> str:
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    if isinstance(error["input"], SecretRef):
        return "a secret is not allowed here: only model.api_key takes one"
    match error["type"]:
        case "missing":
            return _missing(path)
        case "extra_forbidden":
            return f"unknown key {path[-1]!r}{_did_you_mean(str(path[-1]), _keys_at(path[:-1]))}"
        case "value_error":
            return f"{key}: {error['msg'].removeprefix('Value error, ')}"
        case "string_pattern_mismatch":
            return f"{key}: {HINTS.get(error.get('ctx', {}).get('pattern', ''), error['msg'])}"
        case "string_type":
            return f"{key}: must be a text; put it in quotes if it is one"
        case _:
            return f"{key}: {error['msg'].replace('Input should', 'it must', 1).replace('must be a valid', 'must be a', 1)}"


def _missing(path: document.Path) -> str:
    if len(path) == 3 and path[0] == "blocks" and path[-1] == "owner":
        return f"the block {path[1]!r} must state its owner: config (this file has the last word) or agent (seeded once)"
    return f"the key {path[-1]!r} is missing"


def _keys_at(path: document.Path) -> list[str]:
    """The keys that the mapping at ``path`` may have."""
    specs: dict[document.Path, type[BaseModel]] = {
        (): AgentDefinition,
        ("model",): ModelSpec,
        ("model", "limits"): LimitsSpec,
        ("memory",): MemorySpec,
        ("memory", "search"): SearchSpec,
        ("memory", "search", "decay"): DecaySpec,
        ("memory", "search", "confidence"): ConfidenceSpec,
        ("memory", "search", "expires_after_days"): DaysSpec,
        ("memory", "search", "review_after_days"): DaysSpec,
    }
    spec = BlockSpec if path[:1] == ("blocks",) else specs.get(path)
    return list(spec.model_fields) if spec else []


def _did_you_mean(key: str, known: Sequence[Any]) -> str:
    close = get_close_matches(key, known, n=1, cutoff=0.6)
    return f": did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"
