"""Core memory by one tool with commands: blocks are made, edited, renamed and taken out of the window."""

import re
from typing import Literal

from pagemind.errors import BadArgument
from pagemind.memory.blocks import effect_words
from pagemind.records import Edit, Insert, Replace
from pagemind.toolbox import Syscalls, tool
from pagemind.toolbox.inputs import bounded_text

CONTENT_LIMIT_CHARS = 20_000
DESCRIPTION_LIMIT_CHARS = 2_000
LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_./-]{0,62}[A-Za-z0-9_])?")


@tool(effect="transactional")
async def memory(
    system: Syscalls,
    command: Literal["create", "str_replace", "insert", "delete", "rename", "view"],
    path: str | None = None,
    file_text: str | None = None,
    description: str | None = None,
    old_string: str | None = None,
    new_string: str | None = None,
    insert_line: int | None = None,
    insert_text: str | None = None,
    old_path: str | None = None,
    new_path: str | None = None,
) -> str:
    """Work on the blocks of core memory, each named by a path such as "human" or "projects/garden".

    Args:
        command: create makes a block (path, file_text, description); str_replace puts new_string in the place of old_string,
            which must stand in the block once; insert adds insert_text after the line insert_line; delete takes the block out
            of your memory; rename gives it another path (old_path, new_path) or another description (path, description);
            view shows it.
        path: The block.
        file_text: What a new block holds.
        description: What the block is for.
        old_string: The text to replace, exactly as it stands there.
        new_string: The text to put in its place; an empty one deletes.
        insert_line: The line to insert after: 0 is the beginning; left out, the end.
        insert_text: The text to insert.
        old_path: The block to rename.
        new_path: Its new path.
    """
    match command:
        case "create":
            label, value = _label("path", path), _bounded("file_text", file_text or "")
            await system.create_block(label, value, _described(description))
            system.note_effect(f"{label} made")
            return f"Made: {label} has {len(value)} characters."
        case "str_replace":
            return await _edit(
                system, path, Replace(_given("old_string", old_string), _bounded("new_string", new_string or ""))
            )
        case "insert":
            line = -1 if insert_line is None else insert_line
            return await _edit(system, path, Insert(_given("insert_text", insert_text), line))
        case "delete":
            label = _label("path", path)
            await system.remove_block(label)
            system.note_effect(f"{label} removed")
            return f"Removed: {label} is no longer in your memory."
        case "rename":
            label = _label("old_path", old_path or path)
            to = _label("new_path", new_path) if new_path is not None else None
            if to is None and description is None:
                raise BadArgument(name="new_path", advice="give the new path, or a new description.")
            await system.rename_block(label, to=to, description=None if description is None else _described(description))
            system.note_effect(f"{label} renamed" if to else f"{label} described")
            return f"Renamed: {label} is {to} now." if to else f"Done: {label} has a new description."
        case "view":
            if path is None or path.strip("/") in ("", "memories"):
                return "\n".join(system.labels()) or "There are no blocks."
            return await system.block(_label("path", path)) or "(empty)"


async def _edit(system: Syscalls, path: str | None, edit: Edit) -> str:
    label = _label("path", path)
    old = await system.block(label)
    words = effect_words(old, await system.edit_block(label, edit))
    system.note_effect(f"{label} {words}")
    return f"Done ({words}) in {label}."


def _label(name: str, path: str | None) -> str:
    """The label that a path names."""
    label = (path or "").strip().removeprefix("/memories/").strip("/")
    if not LABEL.fullmatch(label):
        raise BadArgument(name=name, advice="give a path of letters, digits, '_', '-', '.' and '/', such as \"human\".")
    return label


def _given(name: str, text: str | None) -> str:
    return bounded_text(name, text or "", limit_chars=CONTENT_LIMIT_CHARS)


def _bounded(name: str, text: str) -> str:
    return bounded_text(name, text, limit_chars=CONTENT_LIMIT_CHARS, may_be_empty=True)


def _described(text: str | None) -> str:
    return bounded_text("description", text or "", limit_chars=DESCRIPTION_LIMIT_CHARS, may_be_empty=True)
