"""Folders and files: taken in, attached to agents, opened in their windows, searched by them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.engine.apart import ApartFailed, apart
from pagemind.engine.documents import PDF, media_type_of, reads_pdf
from pagemind.engine.kernel import Kernel
from pagemind.engine.recall import Search, recall_passages
from pagemind.errors import BadPattern, FileNameTaken, FileTooLarge, UnknownFile, UnknownFileType, UnknownRecord
from pagemind.memory.file_view import lines_of, numbered, view_of
from pagemind.records import Agent, File, FileHit, FileMatch, FileMatches, FileRequest, FileView
from pagemind.records.text import clean_text
from pagemind.store import agent_files, agents, files, folders
from pagemind.store.agent_files import Opening, Readable
from pagemind.store.passages import Within

TOOLS = ("open_files", "grep_files", "semantic_search_files")
"""What an agent gets with its first folder, and loses with its last."""
MOST_OPEN = 5
VIEW_SHARE = 1 / 20
"""Of the window, for each open file, where the agent says nothing else."""
VIEW_CHARS = (1_000, 40_000)
CHARS_PER_TOKEN = 4
NAMES_SHOWN = 20
NAME_CHARS = 200

GREP_SECONDS = 3.0
GREP_MEMORY_BYTES = 1024**3
GREP_CHARS = 30_000_000
MATCHES_A_PAGE = 20
LINE_CHARS = 500


class Duplicates(Enum):
    """What becomes of a file whose name is taken."""

    suffix = "suffix"
    skip = "skip"
    error = "error"
    replace = "replace"


@dataclass(frozen=True)
class Upload:
    """A file as it came."""

    name: str
    declared_type: str
    content: bytes
    duplicates: Duplicates = Duplicates.suffix


async def take(kernel: Kernel, folder_id: UUID, upload: Upload) -> tuple[File, bool]:
    """Keep an upload, to be taken in soon; or the file that has its name, and then True.

    Raises UnknownRecord, UnknownFileType, FileTooLarge, FileNameTaken.
    """
    name = plain_name(upload.name)
    limit = kernel.settings.file_limit_bytes
    if len(upload.content) > limit:
        raise FileTooLarge(length=f"{len(upload.content):,}", limit=f"{limit:,}")
    media_type = media_type_of(name, upload.declared_type)
    if media_type is None or (media_type == PDF and not reads_pdf()):
        hint = " or PDF" if reads_pdf() else "; for PDF install the extra `documents`"
        raise UnknownFileType(media_type=media_type or upload.declared_type or "unknown", name=name, pdf=hint)
    async with kernel.database.transaction() as session:
        # Held, so that two uploads at once do not take the same name.
        folder = await folders.get(session, folder_id, lock=True)
        taken = await files.names(session, folder_id)
        if name in taken:
            match upload.duplicates:
                case Duplicates.error:
                    raise FileNameTaken(name=name)
                case Duplicates.skip:
                    return await files.get(session, folder_id, taken[name]), True
                case Duplicates.replace:
                    await files.remove(session, taken[name])
                case Duplicates.suffix:
                    name = free_name(name, taken)
        file = File(
            tenant_id=folder.tenant_id,
            folder_id=folder.id,
            name=name,
            media_type=media_type,
            size_bytes=len(upload.content),
            upload=upload.content,
            extra={"original_name": plain_name(upload.name)},
        )
        await files.add(session, file)
        await folders.changed(session, await folders.agent_ids(session, folder_id))
    return file, False


def plain_name(name: str) -> str:
    """The name without folders and what no name has."""
    last = clean_text(name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable()).strip()[-NAME_CHARS:] or "file"


def free_name(name: str, taken: dict[str, UUID]) -> str:
    """The name with the lowest number that makes it a new one."""
    path = PurePosixPath(name)
    number = next(n for n in range(1, len(taken) + 2) if f"{path.stem}_({n}){path.suffix}" not in taken)
    return f"{path.stem}_({number}){path.suffix}"


# --- agents' folders --------------------------------------------------------------------------------------------------------


async def attach(session: AsyncSession, agent: Agent, folder_id: UUID) -> None:
    """Let the agent read the folder, with the tools for it; nothing where it may already. UnknownRecord.

    ``agent`` is locked.
    """
    folder = await folders.get(session, folder_id)
    if not await folders.attach(session, agent, folder.id):
        return
    agent.tools = [*agent.tools, *(name for name in TOOLS if name not in agent.tools)]
    await session.flush()
    await folders.changed(session, [agent.id])


async def detach(session: AsyncSession, agent: Agent, folder_id: UUID) -> None:
    """Take the folder out of the agent's sight; with its last one go the tools. ``agent`` is locked. UnknownRecord."""
    await folders.get(session, folder_id)
    if not await folders.detach(session, agent.id, folder_id):
        return
    if not await folders.attached(session, agent.id):
        agent.tools = [name for name in agent.tools if name not in TOOLS]
        await session.flush()
    await folders.changed(session, [agent.id])


async def remove_folder(session: AsyncSession, folder_id: UUID) -> None:
    """Take a folder with its files out of every agent's sight, and the tools from those that had no other. UnknownRecord."""
    for agent_id in sorted(await folders.agent_ids(session, folder_id)):
        await detach(session, await agents.lock(session, agent_id), folder_id)
    await folders.remove(session, folder_id)


# --- open files -------------------------------------------------------------------------------------------------------------


def most_open(agent: Agent) -> int:
    """How many files the agent may have open at once."""
    return int(agent.extra.get("max_files_open") or MOST_OPEN)


def view_chars(kernel: Kernel, agent: Agent) -> int:
    """How much of each open file stands in the agent's window."""
    asked = agent.extra.get("per_file_view_window_char_limit")
    if asked:
        return int(asked)
    least, most = VIEW_CHARS
    return max(least, min(most, int(kernel.reasoner.window_tokens * CHARS_PER_TOKEN * VIEW_SHARE)))


async def open_one(kernel: Kernel, agent_id: UUID, file_id: UUID) -> list[str]:
    """Open a file of the agent's folders from outside; the names of those that were closed for it.

    Raises UnknownRecord, UnknownAgent.
    """
    async with kernel.database.transaction() as session:
        agent = await agents.get(session, agent_id)
        names = {each.id: each.name for each in await agent_files.readable(session, agent_id)}
        if file_id not in names:
            raise UnknownRecord(kind="file of this agent", id=str(file_id))
        file = await files.get(session, None, file_id, content=True)
        view = view_of(names[file_id], file.text, limit_chars=view_chars(kernel, agent))
        revision = await agent_files.bump(session, agent_id)
        opening = Opening(file_id, view.text)
        closed = await agent_files.open(session, agent.tenant_id, agent_id, [opening], revision, most_open(agent))
    return [names[each] for each in closed if each in names]


async def close(kernel: Kernel, agent_id: UUID, file_id: UUID | None = None) -> list[str]:
    """Close a file, or all; the names of those that were open. UnknownRecord."""
    async with kernel.database.transaction() as session:
        names = {each.id: each.name for each in await agent_files.readable(session, agent_id)}
        if file_id is not None and file_id not in names:
            raise UnknownRecord(kind="file of this agent", id=str(file_id))
        revision = await agent_files.bump(session, agent_id)
        ids = None if file_id is None else [file_id]
        closed = await agent_files.close(session, agent_id, revision, file_ids=ids)
    return sorted(names[each] for each in closed if each in names)


async def views_of(kernel: Kernel, agent: Agent, requests: Sequence[FileRequest]) -> list[tuple[Opening, FileView]]:
    """What the agent would see of the files that it asks for. Raises UnknownFile."""
    async with kernel.database.transaction() as session:
        known = await agent_files.readable(session, agent.id)
        wanted = [(one_of(known, each.name), each) for each in requests]
        texts = {found.id: (await files.get(session, None, found.id, content=True)).text for found, _ in wanted}
    limit = view_chars(kernel, agent)
    result = list[tuple[Opening, FileView]]()
    for found, each in wanted:
        view = view_of(found.name, texts[found.id], limit_chars=limit, offset=each.offset, length=each.length)
        part = bool(each.offset) or each.length is not None
        last = max(view.first_line, view.last_line)
        opening = Opening(found.id, view.text, view.first_line, last) if part else Opening(found.id, view.text)
        result.append((opening, view))
    return result


async def closed_by(
    kernel: Kernel, agent_id: UUID, openings: Sequence[Opening], *, close_others: bool, most_open: int
) -> tuple[str, ...]:
    """The names of the open files that these take the place of."""
    wanted = {opening.file_id for opening in openings}
    async with kernel.database.transaction() as session:
        others = [each for each in await agent_files.readable(session, agent_id) if each.is_open and each.id not in wanted]
    others.sort(key=lambda each: each.used_at or each.created_at, reverse=True)
    stay = 0 if close_others else most_open - len(wanted)
    return tuple(each.name for each in others[stay:])


def one_of(known: Sequence[Readable], name: str) -> Readable:
    """The file of that name, with or without its folder where that is clear. Raises UnknownFile."""
    exact = [each for each in known if each.name == name]
    bare = [each for each in known if each.name.partition("/")[2] == name]
    for found in (exact, bare):
        if len(found) == 1:
            return found[0]
    names = ", ".join(each.name for each in known[:NAMES_SHOWN]) or "none: no folder with files is attached to you"
    raise UnknownFile(name=name[:NAME_CHARS], known=names + (", ..." if len(known) > NAMES_SHOWN else ""))


# --- looking into files -----------------------------------------------------------------------------------------------------


async def grep(
    kernel: Kernel, agent_id: UUID, pattern: str, *, include: str | None = None, context_lines: int = 1, offset: int = 0
) -> FileMatches:
    """The lines of the agent's files that match, a page from ``offset`` on; ``include`` is a pattern for names. BadPattern."""
    async with kernel.database.transaction() as session:
        names = {each.id: each.name for each in await agent_files.readable(session, agent_id)}
    if include:
        kept = {name for name, _ in await matching(include, {name: name for name in names.values()})}
        names = {file_id: name for file_id, name in names.items() if name in kept}
    async with kernel.database.transaction() as session:
        found = await agent_files.texts(session, list(names), GREP_CHARS)
    texts = {names[file_id]: content for file_id, content in found.items()}
    places = await matching(pattern, texts) if texts else []
    by_file = Counter(name for name, _ in places)
    matches = [
        FileMatch(
            name,
            line,
            numbered(lines_of(texts[name]), line - context_lines, line + context_lines, line, LINE_CHARS),
        )
        for name, line in places[offset : offset + MATCHES_A_PAGE]
    ]
    return FileMatches(len(places), tuple(by_file.items()), tuple(matches))


async def matching(pattern: str, texts: dict[str, str]) -> list[tuple[str, int]]:
    """Text and line of each match. The pattern is tried in a process of its own: some take for ever. Raises BadPattern."""
    given = json.dumps({"pattern": pattern, "texts": texts}).encode()
    try:
        written = await apart("pagemind.engine.grep_apart", given, seconds=GREP_SECONDS, memory_bytes=GREP_MEMORY_BYTES)
    except ApartFailed as error:
        raise BadPattern(reason=str(error)) from error
    answer = json.loads(written)
    if "wrong" in answer:
        raise BadPattern(reason=str(answer["wrong"])[:200])
    return [(str(name), int(line)) for name, line in answer["found"]]


async def search(kernel: Kernel, agent_id: UUID, query: str, limit: int) -> list[FileHit]:
    """Pieces of the agent's files by words and by meaning, the best first."""
    hits = await recall_passages(kernel, agent_id, Search(query, limit=limit), within=Within.folders)
    async with kernel.database.transaction() as session:
        names = {each.id: each.name for each in await agent_files.readable(session, agent_id)}
    return [
        FileHit(
            name=names[hit.file_id],
            text=hit.text,
            first_line=hit.extra.get("first_line"),
            last_line=hit.extra.get("last_line"),
            heading=str(hit.extra.get("heading", "")),
            score=hit.score,
        )
        for hit in hits
        if hit.file_id is not None and hit.file_id in names
    ]
