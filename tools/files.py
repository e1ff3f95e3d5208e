"""Files: documents in the folders that were attached to the agent, opened in its window, or searched without opening."""

from dataclasses import dataclass

from pagemind.errors import BadArgument
from pagemind.records import FileHit, FileMatches, FileRequest
from pagemind.toolbox import Syscalls, tool
from pagemind.toolbox.inputs import bounded_number, bounded_text

QUERY_LIMIT_CHARS = 1_000
PATTERN_LIMIT_CHARS = 500
NAME_LIMIT_CHARS = 1_000
LINES_LIMIT = 1_000_000
CONTEXT_LIMIT = 20
LIMIT = 50


@dataclass
class FileOpenRequest:
    """A file to open, and which part of it."""

    file_name: str
    offset: int | None = None
    length: int | None = None


@tool(effect="transactional")
async def open_files(system: Syscalls, file_requests: list[FileOpenRequest], close_all_others: bool = False) -> str:
    """Open files of your folders, whole or in part, so that you can read them. What is open stays in view; what was not used
    for longest is closed where there are too many. Comes back with the lines that are shown, each under its number.

    Args:
        file_requests: The files, each with its file_name, as it is listed under your folders; with offset, how many lines to
            leave out at its beginning, and length, how many to show; both may be left out.
        close_all_others: Close all other files.
    """
    if not file_requests:
        raise BadArgument(name="file_requests", advice="name at least one file.")
    opened = await system.open_files([_request(each) for each in file_requests], close_others=close_all_others)
    system.note_effect(f"opened {', '.join(view.name for view in opened.views)}"[:200])
    parts = [f"{view.name} {view.text}" for view in opened.views]
    if opened.closed:
        parts.append(f"Closed for it: {', '.join(opened.closed)}.")
    return "\n\n".join(parts)


@tool(effect="transactional")
async def grep_files(
    system: Syscalls, pattern: str, include: str | None = None, context_lines: int | None = 1, offset: int | None = None
) -> str:
    """Search the lines of your files for a word or a regular expression, without opening them; case does not matter. Comes
    back with how many lines match in which file, and 20 of them with their numbers.

    Args:
        pattern: What to look for: plain words or a regular expression.
        include: Only files whose names match this.
        context_lines: How many lines to show before and after each match, 0 to 20; 1 by default.
        offset: How many matches to pass over, for the next page: 20, 40, and so on.
    """
    start = bounded_number("offset", offset or 0, least=0, most=LINES_LIMIT)
    found = await system.grep_files(
        bounded_text("pattern", pattern, limit_chars=PATTERN_LIMIT_CHARS),
        include=bounded_text("include", include, limit_chars=PATTERN_LIMIT_CHARS) if include else None,
        context_lines=bounded_number(
            "context_lines", 1 if context_lines is None else context_lines, least=0, most=CONTEXT_LIMIT
        ),
        offset=start,
    )
    system.note_effect("1 match" if found.total == 1 else f"{found.total} matches")
    return _matches(found, start)


@tool(effect="transactional")
async def semantic_search_files(system: Syscalls, query: str, limit: int = 5) -> str:
    """Search your files by meaning, without opening them. Use it when you do not know the exact words. Comes back with
    passages, the best first, each with its file and lines.

    Args:
        query: What you look for, in plain words.
        limit: How many to return at most, 1 to 50; 5 by default.
    """
    hits = await system.search_files(
        bounded_text("query", query, limit_chars=QUERY_LIMIT_CHARS), limit=bounded_number("limit", limit, least=1, most=LIMIT)
    )
    system.note_effect("1 hit" if len(hits) == 1 else f"{len(hits)} hits")
    if not hits:
        return "Nothing found in your files. Try other words, or grep_files."
    return "\n\n".join(_hit(hit) for hit in hits)


def _request(given: FileOpenRequest) -> FileRequest:
    name = bounded_text("file_name", given.file_name, limit_chars=NAME_LIMIT_CHARS)
    offset = bounded_number("offset", given.offset or 0, least=0, most=LINES_LIMIT)
    length = None if given.length is None else bounded_number("length", given.length, least=1, most=LINES_LIMIT)
    return FileRequest(name, offset, length)


def _matches(found: FileMatches, offset: int) -> str:
    if not found.total:
        return "No line matches. Try other words, or semantic_search_files."
    files = ", ".join(f"{name} ({count})" for name, count in found.by_file)
    if not found.matches:
        return f"{found.total} lines match: {files}. There are none behind the first {offset}."
    last = offset + len(found.matches)
    head = f"{found.total} lines match: {files}. Here are {offset + 1} to {last}."
    more = [f"For more: offset={last}."] if last < found.total else []
    return "\n\n".join([head, *(f"{match.name}\n{match.text}" for match in found.matches), *more])


def _hit(hit: FileHit) -> str:
    lines = f" lines {hit.first_line} to {hit.last_line}" if hit.first_line else ""
    heading = f", {hit.heading}" if hit.heading else ""
    return f"{hit.name}{lines}{heading}\n{hit.text}"
