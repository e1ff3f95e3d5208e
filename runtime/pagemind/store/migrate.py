"""Whether the schema is the one this Pagemind was written for, and bringing it there."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.errors import StoreBehind, StoreNewer, StoreVersion

HEAD = "0004"
"""The newest revision under ``migrations/versions``."""
KNOWN = ("0001", "0002", "0003", "0004")
"""Every revision there, oldest first."""
LEAST_SERVER = 160_000
LEAST_PGVECTOR = (0, 8)

Transaction = Callable[[], AbstractAsyncContextManager[AsyncSession]]

FACTS = """
SELECT current_setting('server_version_num')::int AS server, current_setting('server_version') AS server_text,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS pgvector,
       to_regclass('public.alembic_version') IS NOT NULL AS migrated,
       to_regclass('public.alembic_version') IS NOT NULL
           AND has_table_privilege('public.alembic_version', 'SELECT') AS readable
"""


async def bring_up_to_date(transaction: Transaction, owner_url: URL | None, *, app_role: str) -> None:
    """Check server and extension, and migrate where the schema is behind.

    Raises ``StoreVersion``, ``StoreNewer``, or ``StoreBehind`` where it is behind and ``owner_url`` is None.
    """
    async with transaction() as session:
        found = await revision(session)
    if found == HEAD:
        return
    if found is not None and found not in KNOWN:
        raise StoreNewer(found=found, known=HEAD)
    if owner_url is None:
        raise StoreBehind(found=found or "empty", known=HEAD)
    # Alembic takes half a second to import, and an up-to-date store never needs it.
    migrator = importlib.import_module("pagemind.store.migrator")
    await asyncio.to_thread(migrator.upgrade, owner_url, app_role)


async def revision(session: AsyncSession) -> str | None:
    """The schema's revision, None for an empty database. Raises ``StoreVersion`` for a server that is too old."""
    facts = (await session.execute(text(FACTS))).one()
    check_versions(facts.server, facts.server_text, facts.pgvector)
    if not facts.readable:
        return None
    return await session.scalar(text("SELECT version_num FROM alembic_version"))


def check_versions(server: int, server_text: str, pgvector: str | None) -> None:
    """Raise ``StoreVersion`` for a PostgreSQL older than 16 or a pgvector that is missing or older than 0.8."""
    if server < LEAST_SERVER:
        raise StoreVersion(what="PostgreSQL", found=server_text, needed="16 or newer", advice="update the server.")
    if pgvector is None:
        advice = "run `CREATE EXTENSION vector` in that database as a superuser."
        raise StoreVersion(what="without the extension pgvector,", found="none", needed="0.8 or newer", advice=advice)
    if tuple(int(part) for part in pgvector.split(".")[:2]) < LEAST_PGVECTOR:
        raise StoreVersion(what="with pgvector", found=pgvector, needed="0.8 or newer", advice="update the extension.")
