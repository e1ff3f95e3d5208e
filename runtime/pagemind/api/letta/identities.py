"""``/v1/identities``: who agents and blocks are about; and which of them an agent talks to."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from pagemind.api.here import Caller, Here
from pagemind.api.ids import AgentId, BlockId, IdentityId
from pagemind.api.letta.agent_state import Parts, agent_states, known_agent, parts_asked
from pagemind.api.letta.block_json import block_json
from pagemind.api.letta.identity_json import identities_json, known_identity
from pagemind.api.pages import paged
from pagemind.api.problems import conflict
from pagemind.api.values import Metadata, Name, Words
from pagemind.engine.agents import known_blocks, refuse_unknown
from pagemind.errors import StoreConflict
from pagemind.records import AgentIdentity, BlockIdentity, Identity, Json, now
from pagemind.store import agent_lists, agents, identities
from pagemind.store.agent_lists import AgentFilter
from pagemind.store.database import AsyncSession
from pagemind.store.keyset import Slice

router = APIRouter(tags=["identities"])

Kind = Literal["org", "user", "other"]
Word = Annotated[str, Query(max_length=500)]
MOST = 200


class IdentityProperty(BaseModel):
    """Something known about an identity."""

    key: Name
    value: (
        Annotated[str, Field(max_length=10_000)]
        | bool
        | Annotated[int, Field(ge=-(2**53), le=2**53)]
        | Annotated[float, Field(allow_inf_nan=False)]
        | Metadata
    )
    type: Literal["string", "number", "boolean", "json"]


Properties = Annotated[list[IdentityProperty], Field(max_length=MOST)]


class IdentityUpdate(BaseModel):
    """What to change of an identity; lists replace, what is not given stays."""

    identifier_key: Name | None = None
    name: Name | None = None
    identity_type: Kind | None = None
    project_id: Words | None = None
    agent_ids: Annotated[list[AgentId], Field(max_length=MOST)] | None = None
    block_ids: Annotated[list[BlockId], Field(max_length=MOST)] | None = None
    properties: Properties | None = None


class IdentityCreate(IdentityUpdate):
    """An identity to make."""

    identifier_key: Name  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    name: Name  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    identity_type: Kind  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]


async def identity_json(here: Here, session: AsyncSession, identity: Identity) -> Json:
    """One identity."""
    return (await identities_json(session, here.tenant_id, [identity]))[identity.id]


@router.post("/v1/identities")
async def create_identity(here: Caller, asked: IdentityCreate) -> dict[str, Any]:
    """Make an identity; 409 where there is one of that key."""
    try:
        async with here.transaction() as session:
            identity = await identities.add(session, new_identity(here, asked))
            await link(here, session, identity, asked)
            return await identity_json(here, session, identity)
    except StoreConflict:
        raise conflict(f"There is an identity with the key {asked.identifier_key!r} already.") from None


@router.put("/v1/identities")
async def upsert_identity(here: Caller, asked: IdentityCreate) -> dict[str, Any]:
    """Make the identity of that key, or change the one that there is."""
    async with here.transaction() as session:
        identity = await identities.known_as(session, here.tenant_id, asked.identifier_key)
        await write(here, session, identity, asked)
        return await identity_json(here, session, identity)


@router.get("/v1/identities")
async def list_identities(
    here: Caller,
    page: Annotated[Slice, Depends(paged("identity", limit=50))],
    name: Word | None = None,
    identifier_key: Word | None = None,
    identity_type: Kind | None = None,
) -> list[dict[str, Any]]:
    """A page of the identities, the newest first."""
    async with here.transaction() as session:
        found = await identities.page(session, page, name=name, identifier=identifier_key, kind=identity_type)
        shown = await identities_json(session, here.tenant_id, found)
    return [shown[identity.id] for identity in found]


@router.get("/v1/identities/count")
async def count_identities(here: Caller) -> int:
    """How many identities there are."""
    async with here.transaction() as session:
        return await identities.count(session)


@router.get("/v1/identities/{identity_id}")
async def retrieve_identity(here: Caller, identity_id: IdentityId) -> dict[str, Any]:
    """One identity."""
    async with here.transaction() as session:
        return await identity_json(here, session, await known_identity(session, identity_id))


@router.patch("/v1/identities/{identity_id}")
async def update_identity(here: Caller, identity_id: IdentityId, asked: IdentityUpdate) -> dict[str, Any]:
    """Change an identity."""
    try:
        async with here.transaction() as session:
            identity = await known_identity(session, identity_id, lock=True)
            await write(here, session, identity, asked)
            return await identity_json(here, session, identity)
    except StoreConflict:
        raise conflict(f"There is an identity with the key {asked.identifier_key!r} already.") from None


@router.put("/v1/identities/{identity_id}/properties")
async def put_properties(here: Caller, identity_id: IdentityId, properties: Properties) -> dict[str, Any]:
    """Give the identity these properties and no others."""
    async with here.transaction() as session:
        identity = await known_identity(session, identity_id, lock=True)
        await write(here, session, identity, IdentityUpdate(properties=properties))
        return await identity_json(here, session, identity)


@router.delete("/v1/identities/{identity_id}")
async def delete_identity(here: Caller, identity_id: IdentityId) -> None:
    """Forget an identity; its agents and blocks stay."""
    async with here.transaction() as session:
        await identities.remove(session, await known_identity(session, identity_id, lock=True))


@router.get("/v1/identities/{identity_id}/agents")
async def agents_of_identity(
    here: Caller,
    identity_id: IdentityId,
    page: Annotated[Slice, Depends(paged("agent", limit=50))],
    parts: Annotated[Parts, Depends(parts_asked)],
) -> list[dict[str, Any]]:
    """A page of the agents that talk to the identity, the newest first."""
    async with here.transaction() as session:
        await known_identity(session, identity_id)
        found = await agent_lists.page(session, AgentFilter(identity_id=identity_id), page)
        return await agent_states(here, session, found, parts)


@router.get("/v1/identities/{identity_id}/blocks")
async def blocks_of_identity(
    here: Caller, identity_id: IdentityId, page: Annotated[Slice, Depends(paged("block", limit=50))]
) -> list[dict[str, Any]]:
    """A page of the blocks that are about the identity, the newest first."""
    async with here.transaction() as session:
        await known_identity(session, identity_id)
        return [block_json(block) for block in await identities.blocks_of(session, identity_id, page)]


@router.patch("/v1/agents/{agent_id}/identities/attach/{identity_id}")
async def attach_to_agent(here: Caller, agent_id: AgentId, identity_id: IdentityId) -> None:
    """Let an agent talk to an identity."""
    async with here.transaction() as session:
        agent = await known_agent(session, agent_id, lock=True)
        await known_identity(session, identity_id)
        await identities.attach(session, AgentIdentity, here.tenant_id, [(agent.id, identity_id)])


@router.patch("/v1/agents/{agent_id}/identities/detach/{identity_id}")
async def detach_from_agent(here: Caller, agent_id: AgentId, identity_id: IdentityId) -> None:
    """Let an agent talk to an identity no longer."""
    async with here.transaction() as session:
        agent = await known_agent(session, agent_id, lock=True)
        await known_identity(session, identity_id)
        await identities.detach(session, AgentIdentity, owner_id=agent.id, identity_id=identity_id)


def new_identity(here: Here, asked: IdentityCreate) -> Identity:
    """The identity's row."""
    return Identity(
        tenant_id=here.tenant_id,
        identifier=asked.identifier_key,
        name=asked.name,
        kind=asked.identity_type,
        properties=[each.model_dump() for each in asked.properties or ()],
        extra={} if asked.project_id is None else {"project_id": asked.project_id},
    )


async def write(here: Here, session: AsyncSession, identity: Identity, asked: IdentityUpdate) -> None:
    """Write what is asked for into the identity."""
    identity.identifier = asked.identifier_key or identity.identifier
    identity.name = asked.name or identity.name
    identity.kind = asked.identity_type or identity.kind
    if asked.properties is not None:
        identity.properties = [each.model_dump() for each in asked.properties]
    if asked.project_id is not None:
        identity.extra = {**identity.extra, "project_id": asked.project_id}
    identity.updated_at = now()
    await session.flush()
    await link(here, session, identity, asked)


async def link(here: Here, session: AsyncSession, identity: Identity, asked: IdentityUpdate) -> None:
    """Link the identity with exactly the agents and blocks that are asked for; None leaves them."""
    if asked.agent_ids is not None:
        refuse_unknown("agent", asked.agent_ids, {agent.id for agent in await agents.some(session, asked.agent_ids)})
        await identities.detach(session, AgentIdentity, identity_id=identity.id)
        await identities.attach(session, AgentIdentity, here.tenant_id, pairs(asked.agent_ids, identity.id))
    if asked.block_ids is not None:
        await known_blocks(session, asked.block_ids)
        await identities.detach(session, BlockIdentity, identity_id=identity.id)
        await identities.attach(session, BlockIdentity, here.tenant_id, pairs(asked.block_ids, identity.id))


def pairs(owner_ids: list[UUID], identity_id: UUID) -> list[tuple[UUID, UUID]]:
    """Each owner, once, with the identity."""
    return [(owner_id, identity_id) for owner_id in dict.fromkeys(owner_ids)]
