"""YAML's nodes, with what is refused in a definition.

The scalars are those of YAML 1.2, as editors read them: ``no`` and ``on`` are words, ``12:30`` and ``2026-01-01`` are texts.
Anchors, aliases, deep nesting and further documents are refused.
"""

from __future__ import annotations

import re
from typing import Any, cast

from yaml.composer import Composer
from yaml.error import MarkedYAMLError
from yaml.events import AliasEvent
from yaml.nodes import Node, ScalarNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from pagemind.definitions.problems import Position

MAX_DEPTH = 32
TAG = "tag:yaml.org,2002:"
Found = list[tuple[Position, str]]


class Refused(MarkedYAMLError):
    """The document may not be read on."""


class Nodes(Reader, Scanner, Parser, Composer, BaseResolver):
    """Composes a document's nodes and notes what is refused."""

    def __init__(self, text: str, problems: Found) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._problems = problems
        self._depth = 0

    def only_node(self) -> Node:
        """The root of the only document."""
        if not self.check_node():
            raise Refused(problem="the file is empty")
        node = self.get_node()
        if self.check_node():
            raise Refused(problem="one agent a file: a second document begins here", problem_mark=self._ahead().start_mark)
        return cast("Node", node)  # there is one, says check_node

    def _ahead(self) -> Any:
        return self.peek_event()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    def compose_node(self, parent: Node | None, index: Any) -> Node:
        """The next node; an alias becomes an empty text, so that the rest can be looked at too."""
        event = self._ahead()
        mark = event.start_mark
        if isinstance(event, AliasEvent):
            self.get_event()  # pyright: ignore[reportUnknownMemberType]
            self._problems.append((place_of(event), f"aliases are not allowed: write the value out (*{event.anchor})"))
            return ScalarNode(f"{TAG}str", "", mark, event.end_mark)
        if event.anchor is not None:
            self._problems.append((place_of(event), f"anchors are not allowed (&{event.anchor})"))
            event.anchor = None
        if self._depth >= MAX_DEPTH:
            raise Refused(problem=f"nested deeper than {MAX_DEPTH} levels", problem_mark=mark)
        self._depth += 1
        try:
            return cast("Node", super().compose_node(parent, index))
        finally:
            self._depth -= 1


SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
)
"""The plain scalars that are no texts: tag, pattern, first characters."""

for _name, _pattern, _first in SCALARS:
    Nodes.add_implicit_resolver(TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)  # pyright: ignore[reportUnknownMemberType]


def place_of(marked: Any) -> Position:
    """Where a node or an event begins."""
    return Position(marked.start_mark.line + 1, marked.start_mark.column + 1)
