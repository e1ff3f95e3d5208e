"""``pagemind memory edit|undo|insert``: changes by a person, with the person's name in the history."""

from __future__ import annotations

import re
import sys
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pagemind.cli.editor import edit_text
from pagemind.cli.memory_views import block_values, known_block
from pagemind.cli.output import print_json, printer
from pagemind.cli.person import person
from pagemind.cli.text import counted, safe_text
from pagemind.cli.views import diff_lines
from pagemind.engine.runtime import Runtime
from pagemind.errors import EmptyMessage, UsageError
from pagemind.records.edits import Append, Edit, Replace, Rewrite
from pagemind.records.memory import Block
from pagemind.settings import Settings


class OneEditOnly(UsageError):
    """A block is changed in one way at a time. Fix: give one of --append, --replace and --set."""

    code = "one_edit_only"


async def edit(
    settings: Settings,
    *,
    agent: str,
    label: str,
    append: str | None,
    replace: tuple[str, str] | None,
    whole: str | None,
    as_json: bool,
) -> None:
    """Change the block as asked, or in the editor, and print what became of it."""
    asked = [append is not None, replace is not None, whole is not None]
    if sum(asked) > 1:
        raise OneEditOnly()
    async with await Runtime.open(settings, work=False) as runtime:
        found = await runtime.agent(agent)
        before = await known_block(runtime, found, label)
        change = _change(append, replace, whole) or await _edited(before)
        after = before if change is None else await runtime.memory.edit(found, label, change, author=person())
    _tell(before, after, as_json)


async def undo(settings: Settings, *, agent: str, label: str, as_json: bool) -> None:
    """Take the block's last change back and print what became of it."""
    async with await Runtime.open(settings, work=False) as runtime:
        found = await runtime.agent(agent)
        before = await known_block(runtime, found, label)
        after = await runtime.memory.undo(found, label, author=person())
    _tell(before, after, as_json)


async def insert(
    settings: Settings, *, agent: str, text: str | None, tags: tuple[str, ...], source: str | None, as_json: bool
) -> None:
    """Archive the text; standard input, where no text was given, by paragraphs."""
    texts = [text] if text is not None else paragraphs(sys.stdin.read())
    if not any(one.strip() for one in texts):
        raise EmptyMessage()
    async with await Runtime.open(settings, work=False) as runtime:
        found = await runtime.agent(agent)
        for one in texts:
            await runtime.memory.insert(found, one, tags=tags, source=source or person())
        if not as_json:
            print("Archived; making the vectors ...", file=sys.stderr)
        await runtime.indexed()
    if as_json:
        print_json({"inserted": len(texts)})
    else:
        printer().print(Text(f"{counted(len(texts), 'passage')} archived."))


def paragraphs(text: str) -> list[str]:
    """The text's paragraphs: what blank lines separate."""
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def edit_words(before: Block, after: Block) -> RenderableType:
    """What an edit changed, as a line and its diff."""
    if before.revision == after.revision:
        return Text("Nothing was changed.")
    head = f"✎ {safe_text(after.label)}  revision {after.revision}, {len(after.value):,}/{after.limit_chars:,} chars"
    return Group(Text(head), *diff_lines(before.value, after.value))


def _change(append: str | None, replace: tuple[str, str] | None, whole: str | None) -> Edit | None:
    if append is not None:
        return Append(append)
    if replace is not None:
        return Replace(*replace)
    return Rewrite(whole) if whole is not None else None


async def _edited(block: Block) -> Edit | None:
    edited = await edit_text(block.value)
    return None if edited is None else Rewrite(edited)


def _tell(before: Block, after: Block, as_json: bool) -> None:
    values: dict[str, Any] = {**block_values(after), "changed": before.revision != after.revision}
    if as_json:
        print_json(values)
    else:
        printer().print(edit_words(before, after))
