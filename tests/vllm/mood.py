"""A tool of one's own, for the home folder's ``tools/``: its arguments are few enough for random weights to hit."""

from typing import Literal

from pagemind.records import Append
from pagemind.toolbox import Syscalls, tool


@tool(effect="transactional")
async def note_mood(system: Syscalls, label: Literal["human"], mood: Literal["calm", "busy", "merry"]) -> str:
    """Note the person's mood.

    Args:
        label: Which block.
        mood: How the person seems.
    """
    await system.edit_block(label, Append(mood))
    return f"Noted: {mood}."
