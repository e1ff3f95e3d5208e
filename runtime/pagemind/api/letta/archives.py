"""``/v1/archives``: archives that several agents may share."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from pagemind.api.here import Caller
from pagemind.api.ids import AgentId, ArchiveId, PassageId
from pagemind.api.letta.agent_state import Parts, agent_states, parts_asked
from pagemind.api.letta.passage_json import archive_json, embedding_config, passage_json
from pagemind.api.letta.passages import PassageCreate, known_agent
from pagemind.api.pages import paged
from pagemind.api.values import Metadata, Name, Words
from pagemind.engine import archival
from pagemind.engine.archival import Draft
from pagemind.records import Archive, now
from pagemind.store import agent_lists, archives, passages
from pagemind.store.agent_lists import AgentFilter
from pagemind.store.keyset import Slice

router = APIRouter(tags=["archives"])

MOST_PASSAGES = 5_000
"""In one request."""


class ArchiveCreate(BaseModel):
    """An archive to make. The server has one embedder, whatever ``embedding`` names."""

    name: Name
    description: Words | None = None


class ArchiveUpdate(BaseModel):
    """What to change of an archive."""

    name: Name | None = None
    description: Words | None = None


class ArchivePassage(PassageCreate):
    """A passage to store in an archive."""

    metadata: Metadata | None = None

    @property
    def draft(self) -> Draft:
        """The passage as the engine takes it."""
        return Draft(self.text, self.tags or (), self.created_at, self.metadata)


class ArchivePassages(BaseModel):
    """Passages to store in an archive."""

    passages: list[ArchivePassage] = Field(max_length=MOST_PASSAGES)


@router.post("/v1/archives")
async def create_archive(here: Caller, asked: ArchiveCreate) -> dict[str, Any]:
    """Make an archive."""
    async with here.transaction() as session:
        archive = Archive(tenant_id=here.tenant_id, name=asked.name, description=asked.description or "")
        await archives.add(session, archive)
    return archive_json(archive, embedding_config(here.runtime.kernel))


@router.get("/v1/archives")
async def list_archives(
    here: Caller,
    page: Annotated[Slice, Depends(paged("archive", limit=50))],
    agent_id: AgentId | None = None,
    name: Annotated[str | None, Query(max_length=500)] = None,
) -> list[dict[str, Any]]:
    """The archives, the newest first; of one agent, of one name."""
    async with here.transaction() as session:
        found = await archives.page(session, page, agent_id=agent_id, name=name)
    config = embedding_config(here.runtime.kernel)
    return [archive_json(archive, config) for archive in found]


@router.get("/v1/archives/{archive_id}")
async def retrieve_archive(here: Caller, archive_id: ArchiveId) -> dict[str, Any]:
    """One archive."""
    async with here.transaction() as session:
        archive = await archives.get(session, archive_id)
    return archive_json(archive, embedding_config(here.runtime.kernel))


@router.patch("/v1/archives/{archive_id}")
async def update_archive(here: Caller, archive_id: ArchiveId, asked: ArchiveUpdate) -> dict[str, Any]:
    """Rename or describe an archive."""
    async with here.transaction() as session:
        archive = await archives.get(session, archive_id, lock=True)
        archive.name = asked.name or archive.name
        if asked.description is not None:
            archive.description = asked.description
        archive.updated_at = now()
    return archive_json(archive, embedding_config(here.runtime.kernel))


@router.delete("/v1/archives/{archive_id}", status_code=204, response_class=Response)
async def delete_archive(here: Caller, archive_id: ArchiveId) -> None:
    """Take an archive with its passages out of every agent's sight."""
    async with here.transaction() as session:
        await archives.remove(session, archive_id)


@router.get("/v1/archives/{archive_id}/passages")
async def list_archive_passages(
    here: Caller, archive_id: ArchiveId, page: Annotated[Slice, Depends(paged("passage", limit=100, order="asc"))]
) -> list[dict[str, Any]]:
    """The passages of an archive, the oldest first."""
    async with here.transaction() as session:
        await archives.get(session, archive_id)
        found = await passages.page(session, page, archive_id=archive_id)
    config = embedding_config(here.runtime.kernel)
    return [passage_json(passage, config) for passage in found]


@router.post("/v1/archives/{archive_id}/passages")
async def create_archive_passage(here: Caller, archive_id: ArchiveId, asked: ArchivePassage) -> dict[str, Any]:
    """Store a passage in an archive."""
    [kept] = await archival.insert_all(here.runtime.kernel, archive_id, [asked.draft], here.author)
    here.runtime.index_soon()
    return passage_json(kept.passage, embedding_config(here.runtime.kernel))


@router.post("/v1/archives/{archive_id}/passages/batch")
async def create_archive_passages(here: Caller, archive_id: ArchiveId, asked: ArchivePassages) -> list[dict[str, Any]]:
    """Store many passages in an archive: all of them or none."""
    drafts = [each.draft for each in asked.passages]
    stored = await archival.insert_all(here.runtime.kernel, archive_id, drafts, here.author)
    here.runtime.index_soon()
    config = embedding_config(here.runtime.kernel)
    return [passage_json(kept.passage, config) for kept in stored]


@router.delete("/v1/archives/{archive_id}/passages/{passage_id}", status_code=204, response_class=Response)
async def delete_archive_passage(here: Caller, archive_id: ArchiveId, passage_id: PassageId) -> None:
    """Take a passage out of sight."""
    async with here.transaction() as session:
        await archives.get(session, archive_id)
        await passages.remove(session, passage_id, archive_id=archive_id)


@router.get("/v1/archives/{archive_id}/agents")
async def list_archive_agents(
    here: Caller,
    archive_id: ArchiveId,
    page: Annotated[Slice, Depends(paged("agent", limit=50))],
    parts: Annotated[Parts, Depends(parts_asked)],
) -> list[dict[str, Any]]:
    """The agents that share an archive, the newest first."""
    async with here.transaction() as session:
        await archives.get(session, archive_id)
        found = await agent_lists.page(session, AgentFilter(archive_id=archive_id), page)
        return await agent_states(here, session, found, parts)


@router.patch("/v1/agents/{agent_id}/archives/attach/{archive_id}")
async def attach_archive(here: Caller, agent_id: AgentId, archive_id: ArchiveId) -> None:
    """Let an agent search an archive; it writes to the one that it was given first."""
    async with here.transaction() as session:
        agent = await known_agent(session, agent_id)
        await archives.get(session, archive_id)
        await archives.attach(session, agent, archive_id)


@router.patch("/v1/agents/{agent_id}/archives/detach/{archive_id}")
async def detach_archive(here: Caller, agent_id: AgentId, archive_id: ArchiveId) -> None:
    """Take an archive out of an agent's sight; it stays in others'."""
    async with here.transaction() as session:
        await known_agent(session, agent_id)
        await archives.get(session, archive_id)
        await archives.detach(session, agent_id, archive_id)
