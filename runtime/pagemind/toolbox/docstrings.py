"""Google-style docstrings: what the model reads about a tool and about each of its arguments."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field

_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Notes?):\s*(.*)$")
_ARGUMENT = re.compile(r"^(?P<name>\*{0,2}\w+)\s*(\([^)]*\))?\s*:\s*(?P<text>.*)$")


@dataclass(frozen=True)
class ParsedDocstring:
    """The prose (with what comes back) and the words on each argument."""

    description: str
    arguments: dict[str, str] = field(default_factory=dict[str, str])


def parse_docstring(docstring: str) -> ParsedDocstring:
    """Split a docstring into prose, ``Args:`` and ``Returns:``; other sections are for people only."""
    sections: dict[str, list[str]] = {"": []}
    current = ""
    for line in inspect.cleandoc(docstring).splitlines():
        heading = _SECTION.match(line)
        if heading:
            current = {"Arguments": "Args", "Parameters": "Args"}.get(heading[1], heading[1])
            sections[current] = [heading[2]] if heading[2] else []
        else:
            sections[current].append(line)
    prose = "\n".join(sections[""]).strip()
    returns = " ".join(" ".join(sections.get("Returns", [])).split())
    description = f"{prose}\n\nReturns: {returns}" if returns else prose
    return ParsedDocstring(description, _arguments(sections.get("Args", [])))


def _arguments(lines: list[str]) -> dict[str, str]:
    """Name to words; a line indented deeper than the first one continues the argument above it."""
    words: dict[str, list[str]] = {}
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    name = ""
    for line in lines:
        found = _ARGUMENT.match(line.strip()) if indents and len(line) - len(line.lstrip()) <= indents[0] else None
        if found:
            name = found["name"].lstrip("*")
            words[name] = [found["text"]]
        elif name:
            words[name].append(line.strip())
    return {name: " ".join(" ".join(parts).split()) for name, parts in words.items()}
