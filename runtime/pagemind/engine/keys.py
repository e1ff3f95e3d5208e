"""Keys: made and shown once, known by their digest after that.

A key is ``pm_<tenant's id in hex>_<43 characters of base64url>``. Its tenant stands in it, so that it is looked for under that
tenant's row-level security and nowhere else; its 256 random bits are what nobody can guess.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from pagemind.records import ApiKey, Scope, Tenancy
from pagemind.store import keys, tenants
from pagemind.store.database import Database

PATTERN = re.compile(r"pm_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")
PREFIX = "pm_"
KEPT_SECONDS = 5.0
"""How long a key that was found good counts as good without another look: so long a revocation may take."""
MOST_KEPT = 10_000


@dataclass(frozen=True)
class Holder:
    """Whom a key speaks for, and what it may do."""

    tenant_id: UUID
    key_id: UUID
    name: str
    scopes: frozenset[Scope]


@dataclass(frozen=True)
class MadeKey:
    """A new key: what is shown once, and what is stored."""

    text: str
    key: ApiKey


def make_key(tenant_id: UUID, name: str, scopes: Iterable[Scope]) -> MadeKey:
    """A new key of the tenant, not stored yet."""
    text = f"{PREFIX}{tenant_id.hex}_{secrets.token_urlsafe(32)}"
    return MadeKey(text, ApiKey(tenant_id=tenant_id, name=name, digest=digest(text), scopes=sorted(set(scopes))))


def digest(text: str) -> str:
    """SHA-256 of the whole key, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def tenant_in(text: str) -> UUID | None:
    """The tenant that a key names; None for what is no key."""
    found = PATTERN.fullmatch(text)
    return UUID(found.group(1)) if found else None


class Keyring:
    """Says of a key whose it is. Good keys are remembered for some seconds, so that a busy server asks the store seldom."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._good: OrderedDict[str, tuple[Holder, float]] = OrderedDict()
        self._locked = False
        self._looked_at = float("-inf")

    async def holder(self, text: str) -> Holder | None:
        """Whose key it is; None for one that is none, unknown or revoked. Raises StoreUnavailable."""
        tenant_id = tenant_in(text)
        if tenant_id is None:
            return None
        mark, clock = digest(text), time.monotonic()
        known = self._good.get(mark)
        if known is not None and clock < known[1]:
            return known[0]
        if known is not None:
            self._good[mark] = (known[0], clock + 1)  # the requests that come while this one asks need not ask, too
        async with self._database.transaction(tenant_id) as session:
            found = await keys.by_digest(session, mark)
        return self._remember(mark, found, clock)

    def _remember(self, mark: str, found: ApiKey | None, clock: float) -> Holder | None:
        self._good.pop(mark, None)
        if found is None:
            return None
        holder = Holder(found.tenant_id, found.id, found.name, frozenset(Scope(each) for each in found.scopes))
        self._good[mark] = (holder, clock + KEPT_SECONDS)
        if len(self._good) > MOST_KEPT:
            self._good.popitem(last=False)
        return holder

    async def locked(self) -> bool:
        """Whether a key is needed: once there is one, for as long as this object lives. Raises StoreUnavailable."""
        clock = time.monotonic()
        if not self._locked and clock - self._looked_at > KEPT_SECONDS:
            self._looked_at = clock
            self._locked = await any_key(self._database)
        return self._locked


async def any_key(database: Database) -> bool:
    """Whether the operator or a tenant of the operator's has a key that is not revoked."""
    for tenant_id, _ in await served(database):
        async with database.transaction(tenant_id) as session:
            if await keys.any_valid(session):
                return True
    return False


async def served(database: Database) -> Sequence[tuple[UUID, str]]:
    """The tenants of this operator, by id and name; the operator's own, which comes first, has none."""
    async with database.transaction() as session:
        made = await keys.tenancies(session)
    return [(database.tenant_id, ""), *((each.id, each.name) for each in made)]


async def tenant_named(database: Database, name: str) -> UUID:
    """The operator's tenant of this name, made if there is none."""
    for tenant_id, known in await served(database):
        if known == name:
            return tenant_id
    made = Tenancy(tenant_id=database.tenant_id, id=uuid4(), name=name)
    # The tenant's own row comes first: a tenancy without it would be served and hold nothing.
    async with database.transaction(made.id) as session:
        await tenants.make(session, made.id, name)
    async with database.transaction() as session:
        await keys.add_tenancy(session, made)
    return made.id
