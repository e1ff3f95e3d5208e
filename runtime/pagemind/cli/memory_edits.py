"""``pagemind memory edit|undo|insert|confirm|forget``: changes by a person, with the person's name in the history."""

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
from pagemind.cli.text import counted, one_line, safe_text
from pagemind.cli.times import moment_in
from pagemind.cli.views import diff_lines, moment
from pagemind.engine.archival import Draft
from pagemind.engine.runtime import Runtime
from pagemind.errors import EmptyMessage, UnknownRecord, UsageError
from pagemind.records.base import now
from pagemind.records.edits import Append, Edit, Replace, Rewrite
from pagemind.records.memory import Block, Passage
from pagemind.settings import Settings

ID_CHARS = 6
"""An id may be cut to so many of its characters."""


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
    settings: Settings, *, agent: str, text: str | None, source: str | None, as_json: bool, given: dict[str, Any]
) -> None:
    """Archive the text; standard input, where no text was given, by paragraphs. What is there already is only told of."""
    texts = [text] if text is not None else paragraphs(sys.stdin.read())
    if not any(one.strip() for one in texts):
        raise EmptyMessage()
    drafts = [_draft(one, **given) for one in texts]
    async with await Runtime.open(settings, work=False) as runtime:
        found = await runtime.agent(agent)
        kept = [await runtime.memory.keep(found, draft, source or person()) for draft in drafts]
        if not as_json:
            print("Archived; making the vectors ...", file=sys.stderr)
        await runtime.indexed()
    before = [each.passage for each in kept if not each.is_new]
    if as_json:
        ids = [str(each.passage.id) for each in kept]
        print_json({"inserted": len(kept) - len(before), "known": len(before), "ids": ids})
        return
    for passage in before:
        printer().print(Text(f"Already stored on {moment(passage.created_at)}: {one_line(passage.text, 200)}"))
    if len(kept) > len(before):
        printer().print(Text(f"{counted(len(kept) - len(before), 'passage')} archived."))


async def confirm(
    settings: Settings, *, agent: str, passage: str, review: str | None, confidence: float | None, as_json: bool
) -> None:
    """Vouch for the passage, and say so."""
    review_by = moment_in(review, now()) if review else None
    async with await Runtime.open(settings, work=False) as runtime:
        found = await runtime.agent(agent)
        kept = await runtime.memory.confirm(found, bare_id(passage), review_by=review_by, confidence=confidence)
    until = f", until {moment(kept.review_by)}" if kept.review_by else ""
    _tell_of(kept, f"You vouch for it{until}", as_json)


async def forget(settings: Settings, *, agent: str, passage: str, as_json: bool) -> None:
    """Take the passage out of every search, and say so."""
    async with await Runtime.open(settings, work=False) as runtime:
        gone = await runtime.memory.forget(await runtime.agent(agent), bare_id(passage))
    _tell_of(gone, "Forgotten", as_json)


def bare_id(passage: str) -> str:
    """The id, or its beginning, as the store has it. Raises UnknownRecord for what can be no id."""
    bare = passage.strip().lower().removeprefix("passage-")
    if len(bare) < ID_CHARS or not set(bare) <= set("0123456789abcdef-"):
        raise UnknownRecord(kind="passage", id=passage[:60])
    return bare


def _draft(text: str, *, tags: tuple[str, ...], expires: str | None, review: str | None, confidence: float | None) -> Draft:
    at = now()
    expires_at, review_by = moment_in(expires, at) if expires else None, moment_in(review, at) if review else None
    return Draft(text, tags, confidence=confidence, expires_at=expires_at, review_by=review_by)


def _tell_of(passage: Passage, words: str, as_json: bool) -> None:
    if as_json:
        kept = {"id", "text", "tags", "source", "origin", "confidence", "review_by", "expires_at", "superseded_at"}
        print_json(passage.model_dump(include=kept))
    else:
        printer().print(Text(f"{words}: {one_line(passage.text, 200)}"))


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
