"""Archival memory: what the agent keeps beyond its window, found again by meaning."""

from typing import Literal

from pagemind.errors import BadArgument
from pagemind.records import PassageHit
from pagemind.toolbox import Syscalls, tool
from pagemind.toolbox.inputs import bounded_number, bounded_text, moment, one_line

QUERY_LIMIT_CHARS = 1_000
CONTENT_LIMIT_CHARS = 20_000
TAGS_LIMIT = 20
TAG_LIMIT_CHARS = 60
TOP_K_LIMIT = 50
LINE_LIMIT_CHARS = 1_000


@tool(effect="transactional")
async def archival_memory_insert(system: Syscalls, content: str, tags: list[str] | None = None) -> str:
    """Store a text in the archive, where archival_memory_search finds it again, at any time and in any conversation. Use it
    for facts, notes and summaries that need not stay in sight. Write it so that it is understood on its own, with names and
    dates.

    Args:
        content: The text to store.
        tags: A few words to narrow later searches by, for instance ["travel", "porto"].
    """
    bounded_text("content", content, limit_chars=CONTENT_LIMIT_CHARS)
    kept = _tags(tags)
    stored = await system.archive(content, kept)
    if stored.since is not None:
        system.note_effect("archived already")
        return f"Already stored on {stored.since:%Y-%m-%d}: {one_line(stored.text, limit_chars=LINE_LIMIT_CHARS)}"
    system.note_effect(f"archived {len(content)} characters")
    return "Archived" + (f" with the tags {', '.join(kept)}." if kept else ".")


@tool(effect="transactional")
async def archival_memory_search(
    system: Syscalls,
    query: str,
    tags: list[str] | None = None,
    tag_match_mode: Literal["any", "all"] = "any",
    top_k: int = 10,
    start_datetime: str | None = None,
    end_datetime: str | None = None,
) -> str:
    """Search the archive by meaning. Use it before you say that you do not know something that may have been stored. Comes
    back with one text a line, the best first, each with its date and tags.

    Args:
        query: What you look for, in plain words.
        tags: Only texts with at least one of these tags.
        tag_match_mode: "all" demands all of the tags instead.
        top_k: How many to return at most, 1 to 50; 10 by default.
        start_datetime: Only texts stored at this time or later, as 2024-01-15 or 2024-01-15T14:30.
        end_datetime: Only texts stored before this time; a date alone includes that whole day.
    """
    bounded_text("query", query, limit_chars=QUERY_LIMIT_CHARS)
    hits = await system.search_archive(
        query,
        tags=_tags(tags),
        all_tags=tag_match_mode == "all",
        top_k=bounded_number("top_k", top_k, least=1, most=TOP_K_LIMIT),
        after=moment("start_datetime", start_datetime),
        before=moment("end_datetime", end_datetime, end=True),
    )
    system.note_effect("1 hit" if len(hits) == 1 else f"{len(hits)} hits")
    if not hits:
        return "Nothing found in the archive. Try other words, fewer tags or a wider time, or conversation_search."
    return "\n".join(_line(hit) for hit in hits)


def _line(hit: PassageHit) -> str:
    tags = f" (tags: {', '.join(hit.tags)})" if hit.tags else ""
    return f"- [{hit.created_at:%Y-%m-%d}] {one_line(hit.text, limit_chars=LINE_LIMIT_CHARS)}{tags}"


def _tags(tags: list[str] | None) -> list[str]:
    """The tags, trimmed and each once."""
    kept = list(dict.fromkeys(tag.strip() for tag in tags or [] if tag.strip()))
    if len(kept) > TAGS_LIMIT or any(len(tag) > TAG_LIMIT_CHARS for tag in kept):
        raise BadArgument(name="tags", advice=f"give at most {TAGS_LIMIT} tags of at most {TAG_LIMIT_CHARS} characters each.")
    return kept
