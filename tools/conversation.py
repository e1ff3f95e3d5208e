"""Recall memory: every message of the conversation, also those that were paged out of the window."""

from typing import Literal

from pagemind.records import MessageHit
from pagemind.toolbox import Syscalls, tool
from pagemind.toolbox.inputs import bounded_number, bounded_text, moment, one_line

QUERY_LIMIT_CHARS = 1_000
LIMIT = 50
LINE_LIMIT_CHARS = 1_000


@tool(effect="transactional")
async def conversation_search(
    system: Syscalls,
    query: str = "",
    roles: list[Literal["user", "assistant", "tool"]] | None = None,
    limit: int = 10,
    start_date: str | None = None,
    end_date: str | None = None,
) -> str:
    """Search the earlier messages of this conversation by words and by meaning. Use it when something was said that you no
    longer see, before you say that you do not know it. Comes back with one message a line, the best first, each with its
    number, who wrote it and when.

    Args:
        query: What you look for, in plain words; or message numbers, as "#12" or "#12-#20". Left out, the newest come back.
        roles: Only messages written by these.
        limit: How many to return at most, 1 to 50; 10 by default.
        start_date: Only messages of this time or later, as 2024-01-15 or 2024-01-15T14:30.
        end_date: Only messages before this time; a date alone includes that whole day.
    """
    hits = await system.search_conversation(
        bounded_text("query", query, limit_chars=QUERY_LIMIT_CHARS, may_be_empty=True),
        roles=roles or (),
        limit=bounded_number("limit", limit, least=1, most=LIMIT),
        after=moment("start_date", start_date),
        before=moment("end_date", end_date, end=True),
    )
    system.note_effect("1 hit" if len(hits) == 1 else f"{len(hits)} hits")
    if not hits:
        return "Nothing found in this conversation. Try other words, more roles or a wider time, or archival_memory_search."
    return "\n".join(_line(hit) for hit in hits)


def _line(hit: MessageHit) -> str:
    return f"#{hit.seq} {hit.role} {hit.created_at:%Y-%m-%d %H:%M}: {one_line(hit.content, limit_chars=LINE_LIMIT_CHARS)}"
