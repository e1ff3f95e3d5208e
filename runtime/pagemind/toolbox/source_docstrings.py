"""Docstrings of tools that came as source: the prose, and the words on each argument, in any of the three usual styles."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass

ARGUMENTS = {"args", "arguments", "parameters", "params"}
OTHERS = {
    "attributes", "example", "examples", "keyword args", "keyword arguments", "note", "notes", "other parameters", "raises",
    "references", "return", "returns", "see also", "todo", "warning", "warnings", "warns", "yield", "yields",
}  # fmt: skip
GOOGLE_HEADING = re.compile(r"^(\w+(?: \w+)?):\s*$")
GOOGLE_ARGUMENT = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?\s*:\s*(.*)$")
NUMPY_ARGUMENT = re.compile(r"^\*{0,2}(\w+)\s*(?::.*)?$")
REST_FIELD = re.compile(r"^:(\w+)([^:]*):\s*(.*)$")


@dataclass(frozen=True)
class SourceDocstring:
    """The prose without its sections, and the words on each argument by its name."""

    description: str
    arguments: dict[str, str]


def read_docstring(text: str) -> SourceDocstring:
    """Read a docstring in Google's, NumPy's or Sphinx's style."""
    lines = inspect.cleandoc(text).splitlines()
    prose, sections = split_sections(lines)
    words: dict[str, str] = {}
    for heading, body, is_numpy in sections:
        if heading in ARGUMENTS:
            words |= described(body, NUMPY_ARGUMENT if is_numpy else GOOGLE_ARGUMENT)
    prose, fields = split_fields(prose)
    return SourceDocstring(joined_prose(prose), {**words, **fields})


def split_sections(lines: Sequence[str]) -> tuple[list[str], list[tuple[str, list[str], bool]]]:
    """What stands before the first heading, and each section: its heading, its lines, and whether it is underlined."""
    prose: list[str] = []
    sections: list[tuple[str, list[str], bool]] = []
    for number, line in enumerate(lines):
        google = GOOGLE_HEADING.match(line)
        underlined = number + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[number + 1].strip()) is not None
        heading = (google[1] if google else line.strip()).lower()
        if heading in ARGUMENTS | OTHERS and (google or underlined):
            sections.append((heading, [], underlined))
        elif sections:
            sections[-1][1].append(line)
        else:
            prose.append(line)
    return prose, [(heading, body[1:] if is_numpy else body, is_numpy) for heading, body, is_numpy in sections]


def described(lines: Sequence[str], argument: re.Pattern[str]) -> dict[str, str]:
    """Name to words; a line indented deeper than the first one goes on about the argument above it."""
    words: dict[str, list[str]] = {}
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    name = ""
    for line in (line for line in lines if line.strip()):
        found = argument.match(line.strip()) if len(line) - len(line.lstrip()) <= indents[0] else None
        if found:
            name = found[1]
            words[name] = [found[2]] if found.re is GOOGLE_ARGUMENT and found[2] else []
        elif name:
            words[name].append(line.strip())
    return {name: "\n".join(parts) for name, parts in words.items()}


def split_fields(lines: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The lines before the first ``:field:``, and what the ``:param name:`` fields say."""
    first = next((number for number, line in enumerate(lines) if REST_FIELD.match(line)), len(lines))
    words: dict[str, str] = {}
    name = ""
    for line in lines[first:]:
        if found := REST_FIELD.match(line):
            named = found[2].split()
            name = named[-1].lstrip("*") if named and found[1] in ("param", "parameter", "arg", "argument") else ""
            if name:
                words[name] = found[3]
        elif name and line.strip():
            words[name] += "\n" + line.strip()
    return list(lines[:first]), words


def joined_prose(lines: Sequence[str]) -> str:
    """The first line, and behind an empty one the rest."""
    if not lines:
        return ""
    rest = "\n".join(lines[1:]).strip()
    return f"{lines[0].strip()}\n\n{rest}" if rest else lines[0].strip()
