"""``/v1/agents/{id}/folders`` and ``/v1/agents/{id}/files``: what an agent may read, and what of it is open."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from pagemind.api.here import Caller
from pagemind.api.ids import AgentId, FileId, FolderId, wire_id
from pagemind.api.letta.folder_json import agent_file_json, folder_json
from pagemind.api.letta.passage_json import embedding_config
from pagemind.api.letta.passages import known_agent
from pagemind.api.pages import LIMIT_MOST, Order, cursor, paged
from pagemind.api.problems import not_found
from pagemind.engine import files as taking
from pagemind.errors import UnknownAgent
from pagemind.records import Agent
from pagemind.store import agent_files, agents, folders
from pagemind.store.agent_files import Readable
from pagemind.store.database import AsyncSession
from pagemind.store.keyset import Slice

router = APIRouter(tags=["folders"])


@router.get("/v1/agents/{agent_id}/sources", deprecated=True)
@router.get("/v1/agents/{agent_id}/folders")
async def list_agent_folders(
    here: Caller, agent_id: AgentId, page: Annotated[Slice, Depends(paged("source", limit=100))]
) -> list[dict[str, Any]]:
    """The folders that an agent may read."""
    async with here.transaction() as session:
        await known_agent(session, agent_id)
        found = await folders.page(session, page, agent_id=agent_id)
    config = embedding_config(here.runtime.kernel)
    return [folder_json(folder, config) for folder in found]


@router.patch("/v1/agents/{agent_id}/sources/attach/{folder_id}", deprecated=True)
@router.patch("/v1/agents/{agent_id}/folders/attach/{folder_id}")
async def attach_folder(here: Caller, agent_id: AgentId, folder_id: FolderId) -> None:
    """Let an agent read a folder, with the tools for it."""
    async with here.transaction() as session:
        await taking.attach(session, await locked_agent(session, agent_id), folder_id)


@router.patch("/v1/agents/{agent_id}/sources/detach/{folder_id}", deprecated=True)
@router.patch("/v1/agents/{agent_id}/folders/detach/{folder_id}")
async def detach_folder(here: Caller, agent_id: AgentId, folder_id: FolderId) -> None:
    """Take a folder out of an agent's sight."""
    async with here.transaction() as session:
        await taking.detach(session, await locked_agent(session, agent_id), folder_id)


@router.get("/v1/agents/{agent_id}/files")
async def list_agent_files(
    here: Caller,
    agent_id: AgentId,
    before: Annotated[str | None, Query(max_length=100)] = None,
    after: Annotated[str | None, Query(max_length=100)] = None,
    cursor_: Annotated[str | None, Query(alias="cursor", max_length=100)] = None,
    limit: Annotated[int | None, Query(ge=1, le=LIMIT_MOST)] = 20,
    order: Order | None = "desc",
    is_open: bool | None = None,
) -> dict[str, Any]:
    """The files of an agent's folders, the newest first, and which of them are open."""
    async with here.transaction() as session:
        await known_agent(session, agent_id)
        found = [each for each in await agent_files.readable(session, agent_id) if is_open in (None, each.is_open)]
    if order != "asc":
        found.reverse()
    after_, limit = after or cursor_, limit or LIMIT_MOST
    start = place(found, after_) + 1 if after_ else 0
    end = place(found, before) if before else len(found)
    start = max(start, end - limit) if before and not after_ else start
    page = found[start : min(end, start + limit)]
    files = [agent_file_json(each) for each in page]
    return {
        "files": files,
        "next_cursor": files[-1]["id"] if files else None,
        "has_more": bool(page) and start + len(page) < len(found),
    }


@router.patch("/v1/agents/{agent_id}/files/close-all")
async def close_all_files(here: Caller, agent_id: AgentId) -> list[str]:
    """Close every file of an agent; the names of those that were open."""
    async with here.transaction() as session:
        await known_agent(session, agent_id)
    return await taking.close(here.runtime.kernel, agent_id)


@router.patch("/v1/agents/{agent_id}/files/{file_id}/open")
async def open_agent_file(here: Caller, agent_id: AgentId, file_id: FileId) -> list[str]:
    """Put a file into an agent's window; the names of those that had to leave it."""
    try:
        return await taking.open_one(here.runtime.kernel, agent_id, file_id)
    except UnknownAgent:
        raise not_found("agent", wire_id("agent", agent_id)) from None


@router.patch("/v1/agents/{agent_id}/files/{file_id}/close")
async def close_agent_file(here: Caller, agent_id: AgentId, file_id: FileId) -> dict[str, str]:
    """Take a file out of an agent's window."""
    async with here.transaction() as session:
        await known_agent(session, agent_id)
    await taking.close(here.runtime.kernel, agent_id, file_id)
    return {"message": f"File id={wire_id('file', file_id)} successfully closed"}


def place(found: list[Readable], text: str) -> int:
    """Where the cursor's file stands; 404 for one that is not there: an ignored cursor would page for ever."""
    prefix = "file_agent" if text.startswith("file_agent-") else "file"
    wanted = cursor(prefix, text)
    for index, each in enumerate(found):
        if wanted in (each.id, each.link_id):
            return index
    raise not_found("file", text)


async def locked_agent(session: AsyncSession, agent_id: AgentId) -> Agent:
    """The agent, which nobody else can change meanwhile; 404 with its id."""
    try:
        return await agents.lock(session, agent_id)
    except UnknownAgent:
        raise not_found("agent", wire_id("agent", agent_id)) from None
