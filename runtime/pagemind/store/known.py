"""What this process knows of large collections: read from the store, good for some seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.store.driver import rows
from pagemind.store.shares import Collection, collection_of
from pagemind.store.spaces import Space

GOOD_SECONDS = 10.0
KNOWN = "large collections"
TENANT = "tenant"
"""Where a session carries it, and its tenant."""

# Only an operator that gives nothing away of rows that the policy hides may be asked of an index under row-level security.
LEAKPROOF = "SELECT bool_and(proleakproof) FROM pg_proc WHERE oid = 'ts_match_vq(tsvector, tsquery)'::regprocedure"
_STANDING = f"""
SELECT id, kind, rows, words_ready, models, surveyed_at, ({LEAKPROOF}) AS usable FROM search_collections
"""  # noqa: S608 - a constant
_SHARES = "SELECT id, shares FROM search_collections WHERE id = ANY (%(ids)s::uuid[])"


@dataclass
class Tenancy:
    """What is known of one tenant's."""

    read_at: float = float("-inf")
    collections: dict[UUID, Collection] = field(default_factory=dict[UUID, Collection])
    surveyed: dict[UUID, datetime] = field(default_factory=dict[UUID, datetime])


class LargeCollections:
    """The large collections of each tenant whose index of words can be used."""

    def __init__(self) -> None:
        self._tenancies: dict[str, Tenancy] = {}

    def forget(self) -> None:
        """Read anew at the next search."""
        self._tenancies.clear()

    async def of(self, session: AsyncSession, space: Space, tenant: str) -> Mapping[UUID, Collection]:
        """Those of that kind, by id."""
        known = self._tenancies.setdefault(tenant, Tenancy())
        if time.monotonic() - known.read_at > GOOD_SECONDS:
            await read(session, known)
        return {id: each for id, each in known.collections.items() if each.kind == space.kind}


async def read(session: AsyncSession, known: Tenancy) -> None:
    """Read how the collections stand, and the shares of those that were surveyed since."""
    standing = [row for row in await rows(session, _STANDING, {}) if row.words_ready and row.usable]
    newer = [row.id for row in standing if known.surveyed.get(row.id) != row.surveyed_at]
    shares = {row.id: row.shares for row in await rows(session, _SHARES, {"ids": newer})} if newer else {}
    kept: dict[UUID, Collection] = {}
    for row in standing:
        if row.id in shares:
            kept[row.id] = collection_of(row.id, row.kind, row.rows, shares[row.id], row.models)
        elif row.id in known.collections:
            kept[row.id] = replace(known.collections[row.id], rows=max(1, row.rows), models=row.models)
    known.collections = kept
    known.surveyed = {row.id: row.surveyed_at for row in standing}
    known.read_at = time.monotonic()
