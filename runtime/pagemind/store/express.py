"""Express: the few statements that every run needs, sent in bulk, each batch in one message and one transaction.

A statement takes a JSON array and treats each element by itself. Elements that come while a message is under way go together
in the next one (group commit), so that the more there is to do, the less each costs. The message names the tenant and executes
the prepared statement; PostgreSQL runs it as one transaction, so this process can never leave one open. Values are never part
of the statement's text: they are one JSON literal, escaped by libpq, and get their columns' types in the database.
"""

from __future__ import annotations

import asyncio
import json
import logging
import select
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg import Error as DriverError
from psycopg.pq import Escaping, TransactionStatus

from pagemind.errors import StoreBusy, StoreError
from pagemind.records import Json
from pagemind.store.failures import store_errors

Row = tuple[Any, ...]
Connect = Callable[[], Awaitable[AsyncConnection[Row]]]

log = logging.getLogger(__name__)

TRIES = 4
PAUSE_SECONDS = 0.02
TAKEN_BACK = frozenset({"40P01", "40001"})
MOST_AT_ONCE = 32
FIRST_ELEMENTS = 200
"""After so many elements a connection is made anew, then after twice as many, and so on. A session keeps its plans, those of
the checks of references among them, and while a table is nearly empty every index of it looks as good as any other."""
LONGEST_SECONDS = 45.0
"""Beyond the server's own time-outs, so only where it does not answer at all."""

# There is no scan but by an index, and the statements fence what is to be looked up row by row, in the order of the elements:
# LATERAL with OFFSET 0 or a row lock, or an array of all ids.
SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


@dataclass(frozen=True)
class Hot:
    """A statement of ``$1``, a JSON array. Its rows begin with the place of the element they belong to, from 1."""

    name: str
    sql: str


@dataclass(frozen=True)
class Parcel:
    """One element on its way. Of one ``key`` there is at most one in a batch."""

    tenant_id: UUID
    key: str
    text: str
    row: asyncio.Future[Row | None]


class Lane:
    """One statement's connection and what waits for it."""

    def __init__(self, hot: Hot, connect: Connect, sent: Callable[[], None]) -> None:
        self._hot = hot
        self._connect = connect
        self._sent = sent
        self._waiting: deque[Parcel] = deque()
        self._connection: AsyncConnection[Row] | None = None
        self._elements, self._most_elements = 0, FIRST_ELEMENTS
        self.messages = 0
        """How many it has sent so far."""
        self._task: asyncio.Task[None] | None = None

    async def send(self, tenant_id: UUID, key: str, element: Json) -> Row | None:
        """The element's row, None if it has none. Raises StoreUnavailable, and what the driver says of this element."""
        row: asyncio.Future[Row | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(Parcel(tenant_id, key, as_json(element), row))
        if self._task is None:
            self._task = asyncio.create_task(self._deliver_all())
        return await row

    async def close(self) -> None:
        """Deliver what waits and let the connection go."""
        if self._task is not None:
            await asyncio.wait((self._task,))
        await self._disconnect()

    async def _deliver_all(self) -> None:
        try:
            while self._waiting:
                await self._deliver(self._batch())
        finally:
            self._task = None

    def _batch(self) -> list[Parcel]:
        """The parcels that go next: of one tenant, each key once, in the order of the keys, in which their rows are locked."""
        tenant_id, taken, left = self._waiting[0].tenant_id, dict[str, Parcel](), deque[Parcel]()
        while self._waiting and len(taken) < MOST_AT_ONCE:
            parcel = self._waiting.popleft()
            if parcel.tenant_id == tenant_id and parcel.key not in taken:
                taken[parcel.key] = parcel
            else:
                left.append(parcel)
        self._waiting.extendleft(reversed(left))
        return [taken[key] for key in sorted(taken)]

    async def _deliver(self, batch: Sequence[Parcel]) -> None:
        """Send the batch. What one element does wrong must not fail the others: then each goes by itself."""
        try:
            rows = {row[0]: row for row in await self._settled(batch)}
        except (StoreError, DriverError) as error:
            if len(batch) > 1 and self._connection is not None:
                for parcel in batch:
                    await self._deliver((parcel,))
            for parcel in batch:
                if not parcel.row.done():
                    parcel.row.set_exception(error)
        else:
            for place, parcel in enumerate(batch, start=1):
                if not parcel.row.done():
                    parcel.row.set_result(rows.get(place))
        finally:
            for parcel in batch:
                parcel.row.cancel()  # nothing where it is done, as it is unless this process is being taken down

    async def _settled(self, batch: Sequence[Parcel]) -> list[Row]:
        """The rows of the batch. Where the server took it back for another transaction's sake, it is sent again."""
        for tried in range(1, TRIES + 1):
            try:
                return await self._exchange(batch)
            except StoreBusy as error:
                if tried == TRIES or not was_taken_back(error):
                    raise
                log.warning("%s is sent again: %s", self._hot.name, error)
                await asyncio.sleep(PAUSE_SECONDS * tried)
        raise AssertionError("the last try returns or raises")

    async def _exchange(self, batch: Sequence[Parcel]) -> list[Row]:
        """One message there and its rows back; a connection that was lost meanwhile is let go."""
        try:
            with store_errors():
                async with asyncio.timeout(LONGEST_SECONDS):
                    connection = await self._connected()
                    cursor = connection.cursor()
                    self._elements += len(batch)
                    self.messages += 1
                    self._sent()
                    await cursor.execute(message(connection, self._hot, batch), prepare=False)
                    cursor.nextset()
                    return await cursor.fetchall()
        except BaseException as error:
            lost = self._connection is not None and not idle(self._connection)
            if lost or isinstance(error, (TimeoutError, asyncio.CancelledError)):
                await self._disconnect()
            if isinstance(error, TimeoutError):
                raise StoreBusy(f"no answer for {LONGEST_SECONDS:.0f} seconds") from error
            raise

    async def _connected(self) -> AsyncConnection[Row]:
        """The connection, made anew if the server let go of it meanwhile."""
        if self._connection is not None and not (idle(self._connection) and silent(self._connection)):
            await self._disconnect()
        if self._elements >= self._most_elements:
            self._elements, self._most_elements = 0, 2 * self._most_elements
            await self._disconnect()
        if self._connection is None:
            connection = await self._connect()
            try:
                self._sent()
                await connection.execute(f"PREPARE {self._hot.name} (jsonb) AS {self._hot.sql}".encode(), prepare=False)
            except BaseException:
                await connection.close()
                raise
            self._connection = connection
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class Express:
    """The lanes of one database, one a statement, so that inputs are taken in while steps are stored."""

    def __init__(self, connect: Connect, sent: Callable[[], None]) -> None:
        self._connect = connect
        self._sent = sent
        self._lanes: dict[str, Lane] = {}

    async def send(self, hot: Hot, tenant_id: UUID, key: str, element: Json) -> Row | None:
        """The statement's row for this element, None if it has none, after the commit.

        Elements of one ``key`` go one after the other. Raises StoreUnavailable, and the driver's own error where the element
        itself was wrong; then nothing of it was stored.
        """
        if hot.name not in self._lanes:
            self._lanes[hot.name] = Lane(hot, self._connect, self._sent)
        return await self._lanes[hot.name].send(tenant_id, key, element)

    @property
    def messages(self) -> int:
        """How many messages were sent so far, each a transaction in one round trip."""
        return sum(lane.messages for lane in self._lanes.values())

    async def close(self) -> None:
        """Deliver what waits and let the connections go."""
        for lane in self._lanes.values():
            await lane.close()


def was_taken_back(error: StoreBusy) -> bool:
    """Whether the server rolled the transaction back because of another one: a deadlock, or no order of the two."""
    return isinstance(error.__cause__, DriverError) and error.__cause__.sqlstate in TAKEN_BACK


def message(connection: AsyncConnection[Row], hot: Hot, batch: Sequence[Parcel]) -> bytes:
    """The tenant and the statement with its elements: PostgreSQL runs the statements of one message as one transaction."""
    elements = f"[{','.join(parcel.text for parcel in batch)}]".encode()
    literal = bytes(Escaping(connection.pgconn).escape_literal(elements))
    tenant_id = UUID(str(batch[0].tenant_id))
    return f"SET LOCAL app.tenant = '{tenant_id}'; EXECUTE {hot.name} (".encode() + literal + b")"


def as_json(value: object) -> str:
    """The value as JSON; ids as their text."""
    return json.dumps(value, default=str)


def idle(connection: AsyncConnection[Row]) -> bool:
    """Whether the connection stands, outside of any transaction."""
    return not connection.closed and connection.info.transaction_status == TransactionStatus.IDLE


def silent(connection: AsyncConnection[Row]) -> bool:
    """Whether the server has said nothing meanwhile: what it says unasked is that it lets go."""
    try:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return not poll.poll(0)
    except (DriverError, OSError):
        return False
