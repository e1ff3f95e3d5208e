"""Blocks: what an edit makes of a block's value. Pure."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import assert_never

from pagemind.errors import BadArgument, BlockFull, BlockOfConfig, BlockReadOnly, TextAmbiguous, TextNotFound
from pagemind.records import Append, Block, Edit, Insert, Owner, Replace, Revert, Rewrite


def apply_edit(block: Block, edit: Edit, *, by_agent: bool) -> str:
    """The block's value after the edit; the block itself is left alone.

    A block of the configuration is refused to everybody, a read-only one to agents. Raises BlockOfConfig, BlockReadOnly,
    BlockFull, TextNotFound, TextAmbiguous or BadArgument.
    """
    if by_agent and (block.read_only or block.owner == Owner.config):
        raise BlockReadOnly(label=block.label)
    if block.owner == Owner.config:
        raise BlockOfConfig(label=block.label)
    value = _edited(block, edit)
    # a block that was over a limit set later may still be shortened step by step
    if len(value) > block.limit_chars and len(value) >= len(block.value):
        raise BlockFull(label=block.label, length=len(value), limit=block.limit_chars)
    return value


def effect_words(old: str, new: str) -> str:
    """What changed, for people: ``+1 line``, ``-3 lines``, ``2 lines changed``, ``1 line changed, +2 lines``."""
    before, after = _lines(old), _lines(new)
    added = removed = changed = 0
    for kind, a_from, a_to, b_from, b_to in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        gone, come = a_to - a_from, b_to - b_from
        changed += min(gone, come)
        removed += max(0, gone - come)
        added += max(0, come - gone)
    words = [
        f"{_counted(changed)} changed" if changed else "",
        f"+{_counted(added)}" if added else "",
        f"-{_counted(removed)}" if removed else "",
    ]
    return ", ".join(word for word in words if word) or "no change"


def _edited(block: Block, edit: Edit) -> str:
    match edit:
        case Append(text=text):
            return _appended(block.value, text)
        case Replace(old=old, new=new):
            return _replaced(block, old, new)
        case Insert(text=text, line=line):
            return _inserted(block.value, text, line)
        case Rewrite(text=text) | Revert(text=text):
            return text
        case _:
            assert_never(edit)


def _appended(value: str, text: str) -> str:
    if not text.strip():
        raise BadArgument(name="text", advice="give the text to add.")
    text = text.strip("\n")
    return value + text if not value or value.endswith("\n") else f"{value}\n{text}"


def _replaced(block: Block, old: str, new: str) -> str:
    if not old:
        raise BadArgument(name="old text", advice="give a text that stands in the block, or append instead.")
    count = _occurrences(block.value, old)
    if count == 0:
        raise TextNotFound(label=block.label)
    if count > 1:
        raise TextAmbiguous(label=block.label, count=count)
    return block.value.replace(old, new, 1)


def _inserted(value: str, text: str, line: int) -> str:
    lines = _lines(value)
    if not text.strip():
        raise BadArgument(name="text", advice="give the text to insert.")
    if not -1 <= line <= len(lines):
        raise BadArgument(name="line", advice=f"give 0 for the beginning, up to {len(lines)}, or -1 for the end.")
    at = len(lines) if line == -1 else line
    end = "\n" if value.endswith("\n") else ""
    return "\n".join([*lines[:at], *text.strip("\n").split("\n"), *lines[at:]]) + end


def _lines(value: str) -> list[str]:
    """The lines, as ``\\n`` divides them; an empty value has none, and a last ``\\n`` begins none."""
    return value.removesuffix("\n").split("\n") if value else []


def _occurrences(value: str, text: str) -> int:
    """How often the text stands there, overlaps included: "aa" stands twice in "aaa"."""
    count, at = 0, value.find(text)
    while at != -1:
        count, at = count + 1, value.find(text, at + 1)
    return count


def _counted(lines: int) -> str:
    return f"{lines} line" if lines == 1 else f"{lines} lines"
