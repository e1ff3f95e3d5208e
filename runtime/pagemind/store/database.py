"""The door to the database: an engine under row-level security, one transaction at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from copy import copy
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg import AsyncConnection
from sqlalchemy import URL, Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from pagemind.errors import UnsafeRole
from pagemind.records import Json
from pagemind.settings import Settings
from pagemind.store.embedded import EmbeddedPostgres
from pagemind.store.express import SETTINGS as EXPRESS_SETTINGS
from pagemind.store.express import Express, Row
from pagemind.store.failures import store_errors
from pagemind.store.known import KNOWN, TENANT, LargeCollections
from pagemind.store.migrate import bring_up_to_date
from pagemind.store.urls import external_url

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import ExecutionContext

TENANT_OPTION = "pagemind_tenant"
CONNECT_SECONDS = 10
CONNECTION_SETTINGS = {
    "application_name": "pagemind",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    # No longer than a lease: a process that was stopped within a transaction must not keep its runs from the others.
    "idle_in_transaction_session_timeout": "15s",
    "jit": "off",
}


class Database:
    """The open store of one process: an embedded or an external PostgreSQL. Safe to use from many tasks of one loop."""

    round_trips: int
    """How often the client has waited for the server so far."""

    def __init__(self, engine: AsyncEngine, tenant_id: UUID, embedded: EmbeddedPostgres | None) -> None:
        self.engine = engine
        self.tenant_id = tenant_id
        self.embedded = embedded
        self.round_trips = 0
        self.express = Express(self._connect, self._count)
        """For the statements that every run needs."""
        self.large = LargeCollections()
        """What is known of archives and conversations that are searched by indexes of their own."""
        self.owner_url: URL | None = None
        """For the role that makes indexes; None where only somebody else can."""
        self._reviving = asyncio.Lock()
        self._lent = False
        self._count_and_begin()
        self._own = engine.execution_options(**{TENANT_OPTION: tenant_id})

    @classmethod
    async def open(cls, settings: Settings) -> Database:
        """Start or join the server, migrate it if it is behind, check the role, make the tenant's row.

        Raises ``StoreUnavailable``, ``StoreFull``, ``StoreNewer``, ``StoreVersion``, ``UnsafeRole`` and other ``StoreError``.
        """
        if settings.database_url is not None:
            url, owner_url = external_url(settings.database_url), external_url(settings.migration_url)
            return await cls(make_engine(url), settings.tenant_id, None)._get_ready(owner_url)
        embedded = EmbeddedPostgres(settings.home)
        await asyncio.to_thread(embedded.join)
        return await cls(make_engine(embedded.app_url()), settings.tenant_id, embedded)._get_ready(embedded.owner_url())

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Settings) -> AsyncGenerator[Database]:
        """The open store, closed at the end. Raises as `open` does."""
        database = await cls.open(settings)
        try:
            yield database
        finally:
            await database.close()

    def for_tenant(self, tenant_id: UUID) -> Database:
        """The same store, as another tenant sees it; it is open for as long as this one."""
        other = copy(self)
        other.tenant_id, other._lent = tenant_id, True
        other._own = self.engine.execution_options(**{TENANT_OPTION: tenant_id})
        return other

    @asynccontextmanager
    async def transaction(self, tenant_id: UUID | None = None) -> AsyncGenerator[AsyncSession]:
        """One transaction that sees and writes this tenant's rows only; commits at the end, rolls back on an error.

        Objects stay readable after the commit. A lost or refused connection raises ``StoreUnavailable``, a full disk
        ``StoreFull``, a lock or statement that took too long ``StoreBusy``.
        """
        with store_errors():
            info = {KNOWN: self.large, TENANT: str(tenant_id or self.tenant_id)}
            bound = self._bound(tenant_id)
            async with AsyncSession(bound, expire_on_commit=False, info=info) as session, session.begin():
                yield session

    async def ping(self) -> None:
        """Return when the server has answered. Raises StoreUnavailable."""
        async with self.transaction() as session:
            await session.execute(text("SELECT 1"))

    def _bound(self, tenant_id: UUID | None) -> AsyncEngine:
        """The engine whose transactions are the tenant's; made once for our own."""
        if tenant_id not in (None, self.tenant_id):
            return self.engine.execution_options(**{TENANT_OPTION: tenant_id})
        return self._own

    async def revive(self) -> None:
        """After ``StoreUnavailable``: start the embedded server again if it is dead.

        Stale connections need no care: the pool drops all of them at the first that turns out to be lost. A new pool would
        strand those that are in use at this moment.
        """
        async with self._reviving:
            if self.embedded is not None:
                await asyncio.to_thread(self.embedded.revive)

    async def close(self) -> None:
        """Drop the connections and leave the embedded server; the last one out stops it. Nothing for one that is lent."""
        if self._lent:
            return
        await self.express.close()
        await self.engine.dispose()
        if self.embedded is not None:
            await asyncio.to_thread(self.embedded.leave)

    async def _get_ready(self, owner_url: URL | None) -> Database:
        """Check the server and the role, migrate, and make the tenant's row; close again where that fails."""
        self.owner_url = owner_url
        try:
            await bring_up_to_date(self.transaction, owner_url, app_role=self.engine.url.username or "")
            async with self.transaction() as session:
                await refuse_unsafe_role(session)
                await session.execute(
                    text("INSERT INTO tenants (id, name, created_at) VALUES (:id, 'default', now()) ON CONFLICT DO NOTHING"),
                    {"id": self.tenant_id},
                )
        except BaseException:
            await asyncio.shield(self.close())
            raise
        return self

    async def _connect(self) -> AsyncConnection[Row]:
        """A connection of the driver's own, outside of the pool, with the settings of the express lanes."""
        arguments, given = self.engine.dialect.create_connect_args(self.engine.url)
        options = connection_options({**CONNECTION_SETTINGS, **EXPRESS_SETTINGS})
        values: Json = {**given, "connect_timeout": CONNECT_SECONDS, "options": options, "autocommit": True}
        return await AsyncConnection.connect(*arguments, **values)

    async def as_owner(self) -> AsyncConnection[Row] | None:
        """A connection of the role that owns the tables, in autocommit mode; None where only somebody else can have one."""
        if self.owner_url is None:
            return None
        arguments, given = self.engine.dialect.create_connect_args(self.owner_url)
        with store_errors():
            values: Json = {**given, "connect_timeout": CONNECT_SECONDS, "autocommit": True}
            return await AsyncConnection.connect(*arguments, **values)

    def _count(self) -> None:
        self.round_trips += 1

    def _count_and_begin(self) -> None:
        """Open each transaction and set its tenant in one round trip, and count the round trips.

        The driver is in autocommit mode, in which SQLAlchemy's own ``begin`` sends nothing.
        """

        def begin(connection: Connection) -> None:
            tenant = connection.get_execution_options().get(TENANT_OPTION)
            setting = f"; SET LOCAL app.tenant = '{UUID(str(tenant))}'" if tenant else ""
            connection.exec_driver_sql(f"BEGIN{setting}")

        def count_statement(
            connection: Connection, cursor: object, statement: str, parameters: object, context: ExecutionContext, many: bool
        ) -> None:
            self.round_trips += 1

        def count_end(connection: Connection) -> None:
            self.round_trips += 1

        event.listen(self.engine.sync_engine, "begin", begin)
        event.listen(self.engine.sync_engine, "before_cursor_execute", count_statement)
        event.listen(self.engine.sync_engine, "commit", count_end)
        event.listen(self.engine.sync_engine, "rollback", count_end)


def make_engine(url: URL, *, connections: int = 10) -> AsyncEngine:
    """An engine of at most twice ``connections``, without pre-ping: failures are mapped and answered by ``revive``."""
    return create_async_engine(
        url,
        hide_parameters=True,  # people's words stay out of tracebacks and logs
        isolation_level="AUTOCOMMIT",
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=connections,
        pool_timeout=30,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "options": connection_options(CONNECTION_SETTINGS),
        },
    )


def connection_options(values: Mapping[str, str]) -> str:
    """Server settings as libpq's ``options`` take them."""
    return " ".join(f"-c {name}={value}" for name, value in values.items())


ROLE_CHECK = """
SELECT current_user::text, r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm')
                 AND pg_has_role(current_user, c.relowner, 'MEMBER')) AS owns
FROM pg_roles r WHERE r.rolname = current_user
"""


async def refuse_unsafe_role(session: AsyncSession) -> None:
    """Raise ``UnsafeRole`` where row-level security would not hold this session's role, or it could lift it."""
    row = (await session.execute(text(ROLE_CHECK))).one()
    reasons = [
        reason
        for reason, holds in (("superuser", row.rolsuper), ("BYPASSRLS", row.rolbypassrls), ("owner of tables", row.owns))
        if holds
    ]
    if reasons:
        raise UnsafeRole(", ".join(reasons), role=row.current_user)
