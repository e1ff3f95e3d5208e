"""Files of folders: taken in, turned into pieces, found again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer, undefer
from sqlmodel import col

from pagemind.errors import UnknownRecord
from pagemind.records import File, FileState, Folder, Passage, now
from pagemind.store.keyset import Slice, sliced

LEAN = (defer(File.text), defer(File.upload))  # pyright: ignore[reportArgumentType]
"""Files without what they hold, which may be large."""

_EMBEDDED = text(
    """
    SELECT p.file_id, count(e.passage_id) AS embedded
      FROM passages p
      LEFT JOIN passage_embeddings e ON e.tenant_id = p.tenant_id AND e.passage_id = p.id AND e.model = :model
     WHERE p.file_id = ANY(CAST(:files AS uuid[])) AND p.superseded_at IS NULL
     GROUP BY p.file_id
    """
)
_COMPLETE = text(
    """
    UPDATE files f SET state = 'completed', updated_at = now()
     WHERE f.state = 'embedding' AND NOT EXISTS (
        SELECT FROM passages p
         WHERE p.file_id = f.id AND p.superseded_at IS NULL AND NOT EXISTS (
            SELECT FROM passage_embeddings e
             WHERE e.tenant_id = p.tenant_id AND e.passage_id = p.id AND e.model = :model)
           AND NOT EXISTS (
            SELECT FROM unembedded u
             WHERE u.tenant_id = p.tenant_id AND u.model = :model AND u.kind = 'passage' AND u.id = p.id AND u.failures > 0))
    """
)


async def add(session: AsyncSession, file: File) -> None:
    """Store a new file."""
    session.add(file)
    await session.flush()


async def get(session: AsyncSession, folder_id: UUID | None, file_id: UUID, *, content: bool = False) -> File:
    """The file, of that folder if given, with its text if asked for; UnknownRecord."""
    options = (undefer(File.text), defer(File.upload)) if content else LEAN  # pyright: ignore[reportArgumentType]
    query = select(File).where(col(File.id) == file_id).options(*options)
    if folder_id is not None:
        query = query.where(col(File.folder_id) == folder_id)
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind="file", id=str(file_id))
    return found


async def page(session: AsyncSession, folder_id: UUID, page: Slice, *, content: bool = False) -> Sequence[File]:
    """A page of the folder's files."""
    query = select(File).where(col(File.folder_id) == folder_id)
    query = query.options(defer(File.upload) if content else LEAN[0], LEAN[1])  # pyright: ignore[reportArgumentType]
    return await sliced(session, query, File, page)


async def names(session: AsyncSession, folder_id: UUID) -> dict[str, UUID]:
    """The ids of the folder's files by their names."""
    rows = await session.execute(select(col(File.name), col(File.id)).where(col(File.folder_id) == folder_id))
    return {row[0]: row[1] for row in rows}


async def embedded(session: AsyncSession, file_ids: Collection[UUID], model: str) -> dict[UUID, int]:
    """How many pieces of each file have their vector."""
    rows = await session.execute(_EMBEDDED, {"files": list(file_ids), "model": model})
    return {row.file_id: row.embedded for row in rows}


@dataclass(frozen=True)
class Size:
    """How many files a folder has, and their bytes together."""

    folder_id: UUID
    folder: str
    files: int
    size_bytes: int


async def sizes(session: AsyncSession) -> list[Size]:
    """The size of each folder, by name."""
    total = func.coalesce(func.sum(col(File.size_bytes)), 0)
    query = (
        select(col(Folder.id), col(Folder.name), func.count(col(File.id)), total)
        .join(File, (col(File.tenant_id) == Folder.tenant_id) & (col(File.folder_id) == Folder.id), isouter=True)
        .group_by(col(Folder.id), col(Folder.name))
        .order_by(col(Folder.name))
    )
    return [Size(row[0], row[1], int(row[2]), int(row[3])) for row in await session.execute(query)]


async def remove(session: AsyncSession, file_id: UUID) -> None:
    """Take the file and its pieces out of sight."""
    await session.execute(
        update(Passage)
        .where(col(Passage.file_id) == file_id, col(Passage.superseded_at).is_(None))
        .values(superseded_at=now())
        .execution_options(synchronize_session=False)
    )
    await session.execute(delete(File).where(col(File.id) == file_id))


async def oldest_pending(session: AsyncSession, besides: Collection[UUID] = ()) -> File | None:
    """A file that is not text yet, with what was uploaded; none of those ``besides``."""
    query = select(File).where(col(File.state) == FileState.pending, col(File.id).not_in(besides))
    query = query.order_by(col(File.created_at), col(File.id)).limit(1)
    return (await session.execute(query)).scalar_one_or_none()


async def settle(
    session: AsyncSession, file_id: UUID, state: FileState, *, content: str = "", chunks: int = 0, error: str = ""
) -> bool:
    """The pending file is text now, or failed; False where somebody else has settled it, or it is gone."""
    settled = await session.execute(
        update(File)
        .where(col(File.id) == file_id, col(File.state) == FileState.pending)
        .values(state=state, text=content, upload=None, chunks=chunks, error=error, updated_at=now())
        .returning(col(File.id))
        .execution_options(synchronize_session=False)
    )
    return settled.scalar_one_or_none() is not None


async def complete(session: AsyncSession, model: str) -> None:
    """Files all of whose pieces have their vectors are done; a piece that the embedder refuses is found by its words."""
    await session.execute(_COMPLETE, {"model": model})


async def unfinished(session: AsyncSession, state: FileState) -> int:
    """How many files are in this state."""
    return (await session.execute(select(func.count(col(File.id))).where(col(File.state) == state))).scalar_one()
