"""Identities as they stand on Letta's wire."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pagemind.api.ids import wire_id
from pagemind.api.letta.names import organization_id
from pagemind.api.problems import not_found
from pagemind.errors import UnknownRecord
from pagemind.records import AgentIdentity, BlockIdentity, Identity, Json
from pagemind.store import identities
from pagemind.store.database import AsyncSession


async def known_identity(session: AsyncSession, identity_id: UUID, *, lock: bool = False) -> Identity:
    """The identity, locked until the transaction ends if ``lock``; 404."""
    try:
        return await identities.get(session, identity_id, lock=lock)
    except UnknownRecord:
        raise not_found("identity", wire_id("identity", identity_id)) from None


async def identities_json(session: AsyncSession, tenant_id: UUID, found: Sequence[Identity]) -> dict[UUID, Json]:
    """The identities, by id, with the agents and blocks that they are linked to."""
    if not found:
        return {}
    ids = [identity.id for identity in found]
    agents = await identities.owners(session, AgentIdentity, ids)
    blocks = await identities.owners(session, BlockIdentity, ids)
    return {
        identity.id: {
            "id": wire_id("identity", identity.id),
            "identifier_key": identity.identifier,
            "name": identity.name,
            "identity_type": identity.kind,
            "project_id": identity.extra.get("project_id"),
            "agent_ids": [wire_id("agent", each) for each in agents[identity.id]],
            "block_ids": [wire_id("block", each) for each in blocks[identity.id]],
            "organization_id": organization_id(tenant_id),
            "properties": identity.properties,
        }
        for identity in found
    }
