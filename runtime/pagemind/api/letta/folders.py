"""``/v1/folders``, and ``/v1/sources`` as older clients call them: files that agents may read."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Response, UploadFile
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from pagemind.api.here import Caller, Here
from pagemind.api.ids import FileId, FolderId, wire_id
from pagemind.api.letta.folder_json import file_json, folder_json
from pagemind.api.letta.passage_json import embedding_config, passage_json
from pagemind.api.pages import paged
from pagemind.api.problems import Problem, bad_request, conflict, not_found
from pagemind.api.values import Metadata, Name, Words
from pagemind.engine import files as taking
from pagemind.engine.files import Duplicates, Upload
from pagemind.errors import FileNameTaken
from pagemind.records import File, Folder, Json, now
from pagemind.store import agent_lists, files, folders, passages
from pagemind.store.agent_lists import AgentFilter
from pagemind.store.database import AsyncSession
from pagemind.store.keyset import Slice

router = APIRouter(tags=["folders"])
sources = APIRouter(tags=["folders"], deprecated=True)
"""The same under their older name."""

MOST_FILES = 1_000


class FolderCreate(BaseModel):
    """A folder to make. The server has one embedder, whatever ``embedding`` names."""

    name: Name
    description: Words | None = None
    instructions: Words | None = None
    metadata: Metadata | None = None


class FolderUpdate(BaseModel):
    """What to change of a folder."""

    name: Name | None = None
    description: Words | None = None
    instructions: Words | None = None
    metadata: Metadata | None = None


@sources.post("/v1/sources")
@router.post("/v1/folders")
async def create_folder(here: Caller, asked: FolderCreate) -> dict[str, Any]:
    """Make a folder. Its name must be free."""
    folder = Folder(
        tenant_id=here.tenant_id,
        name=asked.name,
        description=asked.description or "",
        instructions=asked.instructions or "",
        archive_id=uuid4(),
        extra={"metadata": asked.metadata},
    )
    async with here.transaction() as session:
        if not await folders.add(session, folder):
            raise taken(asked.name)
    return folder_json(folder, embedding_config(here.runtime.kernel))


@sources.get("/v1/sources")
@router.get("/v1/folders")
async def list_folders(
    here: Caller,
    page: Annotated[Slice, Depends(paged("source", limit=50, order="asc"))],
    name: Annotated[str | None, Query(max_length=500)] = None,
) -> list[dict[str, Any]]:
    """The folders, the oldest first; of one name."""
    async with here.transaction() as session:
        found = await folders.page(session, page, name=name)
    config = embedding_config(here.runtime.kernel)
    return [folder_json(folder, config) for folder in found]


@sources.get("/v1/sources/count")
@router.get("/v1/folders/count")
async def count_folders(here: Caller) -> int:
    """How many folders there are."""
    async with here.transaction() as session:
        return await folders.count(session)


@sources.get("/v1/sources/metadata")
@router.get("/v1/folders/metadata")
async def describe_folders(here: Caller) -> dict[str, Any]:
    """How many folders and files there are, and how large they are."""
    async with here.transaction() as session:
        found = await files.sizes(session)
    listed: list[Json] = [
        {
            "source_id": wire_id("source", each.folder_id),
            "source_name": each.folder,
            "file_count": each.files,
            "total_size": each.size_bytes,
            "files": [],
        }
        for each in found
    ]
    return {
        "sources": listed,
        "total_sources": len(listed),
        "total_files": sum(each.files for each in found),
        "total_size": sum(each.size_bytes for each in found),
    }


@sources.get("/v1/sources/name/{folder_name}")
@router.get("/v1/folders/name/{folder_name}")
async def folder_by_name(here: Caller, folder_name: str) -> str:
    """The id of the folder of this name."""
    async with here.transaction() as session:
        folder = await folders.by_name(session, folder_name.replace("\x00", ""))
    if folder is None:
        raise not_found("folder", folder_name[:200])
    return wire_id("source", folder.id)


@sources.get("/v1/sources/{folder_id}")
@router.get("/v1/folders/{folder_id}")
async def retrieve_folder(here: Caller, folder_id: FolderId) -> dict[str, Any]:
    """One folder."""
    async with here.transaction() as session:
        folder = await folders.get(session, folder_id)
    return folder_json(folder, embedding_config(here.runtime.kernel))


@sources.patch("/v1/sources/{folder_id}")
@router.patch("/v1/folders/{folder_id}")
async def update_folder(here: Caller, folder_id: FolderId, asked: FolderUpdate) -> dict[str, Any]:
    """Rename or describe a folder; the agents that it is attached to are told."""
    async with here.transaction() as session:
        folder = await folders.get(session, folder_id, lock=True)
        other = await folders.by_name(session, asked.name) if asked.name else None
        if other is not None and other.id != folder.id:
            raise taken(other.name)
        for field in ("name", "description", "instructions"):
            value = getattr(asked, field)
            if value is not None:
                setattr(folder, field, value)
        if asked.metadata is not None:
            folder.extra = {**folder.extra, "metadata": asked.metadata}
        folder.updated_at = now()
        await session.flush()
        await folders.changed(session, await folders.agent_ids(session, folder_id))
    return folder_json(folder, embedding_config(here.runtime.kernel))


@sources.delete("/v1/sources/{folder_id}")
@router.delete("/v1/folders/{folder_id}")
async def delete_folder(here: Caller, folder_id: FolderId) -> None:
    """Take a folder with its files out of every agent's sight."""
    async with here.transaction() as session:
        await taking.remove_folder(session, folder_id)


@sources.get("/v1/sources/{folder_id}/agents")
@router.get("/v1/folders/{folder_id}/agents")
async def list_folder_agents(
    here: Caller, folder_id: FolderId, page: Annotated[Slice, Depends(paged("agent", limit=50))]
) -> list[str]:
    """The ids of the agents that a folder is attached to."""
    async with here.transaction() as session:
        await folders.get(session, folder_id)
        found = await agent_lists.page(session, AgentFilter(folder_id=folder_id), page)
        return [wire_id("agent", agent.id) for agent in found]


@sources.get("/v1/sources/{folder_id}/passages")
@router.get("/v1/folders/{folder_id}/passages")
async def list_folder_passages(
    here: Caller, folder_id: FolderId, page: Annotated[Slice, Depends(paged("passage", limit=100))]
) -> list[dict[str, Any]]:
    """The pieces of a folder's files."""
    async with here.transaction() as session:
        folder = await folders.get(session, folder_id)
        found = await passages.page(session, page, archive_id=folder.archive_id)
    config = embedding_config(here.runtime.kernel)
    source_id = wire_id("source", folder.id)
    return [passage_json(piece, config, folder_id=source_id, file_name=f"{folder.name}/{piece.source}") for piece in found]


# --- files ------------------------------------------------------------------------------------------------------------------


@sources.post("/v1/sources/{folder_id}/upload", response_model=None)
@router.post("/v1/folders/{folder_id}/upload", response_model=None)
async def upload_file(
    here: Caller,
    folder_id: FolderId,
    file: UploadFile,
    duplicate_handling: Literal["skip", "error", "suffix", "replace"] = "suffix",
    name: Annotated[str | None, Query(max_length=500)] = None,
) -> dict[str, Any] | JSONResponse:
    """Take a file in. It becomes text and is embedded in the background: ``processing_status`` says how far it is."""
    limit = here.settings.file_limit_bytes
    if (file.size or 0) > limit:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The file has {file.size} bytes and at most {limit} are taken in.")
    upload = Upload(name or file.filename or "", file.content_type or "", await file.read(), Duplicates(duplicate_handling))
    try:
        kept, skipped = await taking.take(here.runtime.kernel, folder_id, upload)
    except FileNameTaken as error:
        raise bad_request(str(error)) from None
    here.runtime.take_in_soon()
    async with here.transaction() as session:
        folder = await folders.get(session, folder_id)
        done = await embedded(here, session, [kept])
    body = file_json(kept, done.get(kept.id, 0), name=f"{folder.name}/{kept.name}")
    return JSONResponse(body, headers={"X-Upload-Result": "skipped"}) if skipped else body


@sources.get("/v1/sources/{folder_id}/files")
@router.get("/v1/folders/{folder_id}/files")
async def list_files(
    here: Caller,
    folder_id: FolderId,
    page: Annotated[Slice, Depends(paged("file", limit=MOST_FILES))],
    include_content: bool = False,
) -> list[dict[str, Any]]:
    """The files of a folder, the newest first."""
    async with here.transaction() as session:
        await folders.get(session, folder_id)
        found = await files.page(session, folder_id, page, content=include_content)
        done = await embedded(here, session, found)
    return [file_json(file, done.get(file.id, 0), content=file.text if include_content else None) for file in found]


@sources.get("/v1/sources/{folder_id}/files/{file_id}")
@router.get("/v1/folders/{folder_id}/files/{file_id}")
async def retrieve_file(here: Caller, folder_id: FolderId, file_id: FileId, include_content: bool = False) -> dict[str, Any]:
    """One file: how far it is, and its text if asked for."""
    async with here.transaction() as session:
        file = await files.get(session, folder_id, file_id, content=include_content)
        done = await embedded(here, session, [file])
    return file_json(file, done.get(file.id, 0), content=file.text if include_content else None)


@sources.delete("/v1/sources/{folder_id}/{file_id}", status_code=204, response_class=Response)
@router.delete("/v1/folders/{folder_id}/{file_id}", status_code=204, response_class=Response)
async def delete_file(here: Caller, folder_id: FolderId, file_id: FileId) -> None:
    """Take a file with its pieces out of every agent's sight."""
    async with here.transaction() as session:
        await files.get(session, folder_id, file_id)
        await files.remove(session, file_id)
        await folders.changed(session, await folders.agent_ids(session, folder_id))


async def embedded(here: Here, session: AsyncSession, listed: Sequence[File]) -> dict[UUID, int]:
    """How many pieces of each file have their vectors."""
    going = [file.id for file in listed if file.state == "embedding"]
    done = {file.id: file.chunks for file in listed if file.state == "completed"}
    return {**done, **(await files.embedded(session, going, here.runtime.kernel.embedder.name) if going else {})}


def taken(name: str) -> Problem:
    """409: another folder has the name."""
    return conflict(f"There is a folder {name!r} already.")


router.include_router(sources)
