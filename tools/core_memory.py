"""Core memory: the blocks that always stand in the agent's window, edited by the agent itself."""

from pagemind.errors import UnknownBlock
from pagemind.memory.blocks import effect_words
from pagemind.records import Append, Edit, Insert, Replace, Rewrite
from pagemind.toolbox import Syscalls, tool
from pagemind.toolbox.inputs import bounded_number, bounded_text

CONTENT_LIMIT_CHARS = 20_000
SHOWN_WHOLE_CHARS = 200
SHOWN_LIMIT_CHARS = 1_500
LINES_AROUND = 1
"""Where the place was chosen by its number, its neighbours show whether it is the right one."""


@tool(effect="transactional")
async def core_memory_append(system: Syscalls, label: str, content: str) -> str:
    """Add a line to a block of core memory. Use it as soon as you learn something worth keeping in sight: a name, a wish, a
    plan. Comes back with that place as it now reads.

    Args:
        label: Which block, for instance "human".
        content: The text to add at the end, on a line of its own.
    """
    return await _edit(system, label, Append(_given("content", content)))


@tool(effect="transactional")
async def core_memory_replace(system: Syscalls, label: str, old_content: str, new_content: str) -> str:
    """Replace a text in a block of core memory by another. Use it when something you noted is no longer so. Comes back with
    that place as it now reads.

    Args:
        label: Which block, for instance "human".
        old_content: The text to replace, exactly as it stands there; it must stand there once.
        new_content: The text to put in its place; an empty one deletes.
    """
    return await _edit(system, label, Replace(_given("old_content", old_content), _bounded("new_content", new_content)))


@tool(effect="transactional")
async def memory_insert(system: Syscalls, label: str, new_string: str, insert_line: int = -1) -> str:
    """Insert new lines into a block of core memory, after a given line. Use it where the place matters, as in a list. Comes
    back with that place as it now reads.

    Args:
        label: Which block, for instance "human".
        new_string: The text to insert, without line numbers.
        insert_line: The line to insert after: 0 is the beginning, -1 (the default) the end.
    """
    text = _given("new_string", new_string)
    value = await _block(system, label)
    lines = value.removesuffix("\n").count("\n") + 1 if value else 0
    bounded_number("insert_line", insert_line, least=-1, most=lines)
    return await _edit(system, label, Insert(text, insert_line))


@tool(effect="transactional")
async def memory_replace(system: Syscalls, label: str, old_string: str, new_string: str) -> str:
    """Replace a text in a block of core memory by another, for small and exact edits. Comes back with that place as it now
    reads.

    Args:
        label: Which block, for instance "human".
        old_string: The text to replace, exactly as it stands there, without line numbers; it must stand there once.
        new_string: The text to put in its place; an empty one deletes.
    """
    return await _edit(system, label, Replace(_given("old_string", old_string), _bounded("new_string", new_string)))


@tool(effect="transactional")
async def memory_rethink(system: Syscalls, label: str, new_memory: str) -> str:
    """Rewrite a whole block of core memory. Use it to condense or reorder a block that has grown long or untidy; what you
    leave out is gone from the block. Small changes are better made with memory_replace.

    Args:
        label: Which block, for instance "human".
        new_memory: Everything the block shall hold from now on.
    """
    return await _edit(system, label, Rewrite(_bounded("new_memory", new_memory)))


@tool(effect="transactional")
async def memory_finish_edits() -> str:
    """Say that your work on the memory is done. Call it once, after your last edit."""
    return "Done."


async def _edit(system: Syscalls, label: str, edit: Edit) -> str:
    """Edit, tell people what changed, and show the model what came of it."""
    old = await _block(system, label)
    new = await system.edit_block(label, edit)
    words = effect_words(old, new)
    system.note_effect(f"{label} {words}")
    if isinstance(edit, Rewrite):
        return f"Rewritten: {label} now has {len(new)} characters."
    if not new:
        return f"Done ({words}). {label} is empty now."
    around = LINES_AROUND if isinstance(edit, Insert) else 0
    return f"Done ({words}). {label} now reads:\n{_shown(old, new, around)}"


async def _block(system: Syscalls, label: str) -> str:
    if label not in system.labels():
        raise UnknownBlock(label=label[:100], known=", ".join(system.labels()) or "the archive: you have no blocks")
    return await system.block(label)


def _shown(old: str, new: str, around: int) -> str:
    """The whole value where it is short, else the lines that changed with so many neighbours.

    The block stands in the window already, and what is said here stays in the history until it is paged out.
    """
    if len(new) <= SHOWN_WHOLE_CHARS:
        return new
    before, after = old.split("\n"), new.split("\n")
    first = next((n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
    pairs = zip(reversed(before[first:]), reversed(after[first:]), strict=False)
    same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(before), len(after)) - first)
    start, end = max(0, first - around), len(after) - same + around
    text = "\n".join(after[start:end])[:SHOWN_LIMIT_CHARS]
    return f"{'[...]' + chr(10) if start else ''}{text}{chr(10) + '[...]' if end < len(after) else ''}"


def _given(name: str, text: str) -> str:
    return bounded_text(name, text, limit_chars=CONTENT_LIMIT_CHARS)


def _bounded(name: str, text: str) -> str:
    return bounded_text(name, text, limit_chars=CONTENT_LIMIT_CHARS, may_be_empty=True)
