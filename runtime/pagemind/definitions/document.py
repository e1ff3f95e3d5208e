"""YAML as plain values whose every key and value knows its place in the file. Merge keys and duplicate keys are refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from pagemind.definitions.interpolate import Unfilled, fill
from pagemind.definitions.nodes import TAG, Found, Nodes, place_of
from pagemind.definitions.problems import Position

MAX_NUMBER_CHARS = 40
Path = tuple[str | int, ...]


@dataclass
class Document:
    """A file's values, where each stands (``values`` and ``keys`` by path), and what is wrong with them as YAML.

    ``refused`` are the paths whose value is only a stand-in for one that is among the ``problems``.
    """

    root: Any = None
    keys: dict[Path, Position] = field(default_factory=dict[Path, Position])
    values: dict[Path, Position] = field(default_factory=dict[Path, Position])
    problems: Found = field(default_factory=Found)
    refused: set[Path] = field(default_factory=set[Path])


def read_document(text: str, environment: Mapping[str, str]) -> Document:
    """The document, with variables filled in. Where it is no YAML at all, ``problems`` says so and ``root`` is None."""
    document = Document()
    try:
        node = Nodes(text, document.problems).only_node()
    except ReaderError as error:
        before = text[: error.position]
        place = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
        document.problems.append((place, f"the character U+{ord_of(error.character):04X} is not allowed in YAML"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        document.problems.append((place, " ".join(part for part in (error.problem, error.context) if part)))
    else:
        _Values(text, environment, document).build(node)
    return document


def ord_of(character: Any) -> int:
    """The code point of a character or of its number."""
    return character if isinstance(character, int) else ord(character)


@dataclass
class _Values:
    """Turns nodes into values."""

    text: str
    environment: Mapping[str, str]
    document: Document

    def build(self, root: Node) -> None:
        self.document.root = self.value(root, ())

    def refuse(self, node: Node, message: str) -> None:
        self.document.problems.append((place_of(node), message))

    def value(self, node: Node, path: Path) -> Any:
        self.document.values[path] = place_of(node)
        known = len(self.document.problems)
        value = self.read(node, path)
        if isinstance(node, ScalarNode) and len(self.document.problems) > known:
            self.document.refused.add(path)
        return value

    def read(self, node: Node, path: Path) -> Any:
        match node, node.tag.removeprefix(TAG):
            case MappingNode(), "map":
                return self.mapping(node, path)
            case SequenceNode(), "seq":
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
            case ScalarNode(), "str" | "null" | "bool" | "int" | "float":
                return self.scalar(node)
            case _:
                self.refuse(node, f"the tag {node.tag.replace(TAG, '!!')} is not allowed here")
                return None

    def mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            name = self.key(key)
            if name is None:
                continue
            if name in values:
                first = self.document.keys[(*path, name)]
                self.refuse(key, f"the key {name!r} stands here twice, first in line {first.line}")
                continue
            self.document.keys[(*path, name)] = place_of(key)
            values[name] = self.value(value, (*path, name))
        return values

    def key(self, node: Node) -> str | None:
        if not isinstance(node, ScalarNode) or node.tag != f"{TAG}str":
            self.refuse(node, "a key must be a text")
            return None
        if node.value == "<<" and node.style is None:
            self.refuse(node, "merge keys ('<<') are not allowed: write the values out")
            return None
        return node.value

    def scalar(self, node: ScalarNode) -> Any:
        kind, text = node.tag.removeprefix(TAG), node.value
        if kind == "str":
            return self.string(node)
        if kind in ("int", "float") and len(text) > MAX_NUMBER_CHARS:
            self.refuse(node, "the number has too many digits")
            return None
        try:
            return _READ[kind](text)
        except ValueError:
            self.refuse(node, f"this is not a value of type {kind}")
            return None

    def string(self, node: ScalarNode) -> Any:
        try:
            filled = fill(node.value, self.environment)
        except Unfilled as unfilled:
            self.document.problems.append((self.mark_place(node, unfilled.number), unfilled.message))
            return ""
        if isinstance(filled, str) and (bad := _NOT_TEXT.search(filled)):
            self.refuse(node, f"the text holds the character U+{ord(bad.group()):04X}, which cannot be stored")
            return ""
        return filled

    def mark_place(self, node: ScalarNode, number: int) -> Position:
        """Where the ``number``th ``${`` of the scalar stands in the file."""
        index = node.start_mark.index
        for _ in range(number + 1):
            found = self.text.find("${", index, node.end_mark.index)
            if found < 0:
                return place_of(node)
            index = found + 2
        before = self.text[: index - 2]
        return Position(before.count("\n") + 1, len(before) - before.rfind("\n"))


_NOT_TEXT = re.compile(r"[\x00\ud800-\udfff]")


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _whole(text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2].lower(), 10)
    return int(text, base)


def _nothing(text: str) -> None:
    return None


_READ: dict[str, Callable[[str], Any]] = {"null": _nothing, "bool": _truth, "int": _whole, "float": float}
