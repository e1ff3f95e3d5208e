"""The driver's errors in our own words."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from psycopg import DataError, InterfaceError, OperationalError
from psycopg import Error as DriverError
from sqlalchemy.exc import DBAPIError, ResourceClosedError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pagemind.errors import StoreBusy, StoreConflict, StoreError, StoreFull, StoreUnavailable, UnstorableValue

FULL = "53100"
BUSY = frozenset({"55P03", "57014", "25P03", "25P04", "40P01", "40001"})
"""Lock not available, statement or transaction time-outs, deadlock, serialization failure."""
GONE = ("08", "53", "57P", "58", "XX", "28", "3D")
"""Classes: connection, insufficient resources, operator intervention, system error, internal error, and what a server that
is not set up answers."""
WRITE_FAILED = "No space left on device"
CONFLICTS = frozenset({"23503", "23505", "23P01"})
"""What a foreign key, a unique index or an exclusion constraint forbids."""
UNSTORABLE = ("22", "23")
"""Classes: data exception, and what else a constraint forbids."""


def store_error(error: BaseException) -> StoreError | None:
    """What the driver's ``error`` means for Pagemind, or None where it is a fault of the statement itself."""
    driver = error.orig if isinstance(error, DBAPIError) else error
    evidence = " ".join(str(driver).split())[:300]
    if isinstance(error, PoolTimeout):
        return StoreBusy("no connection became free")
    if not isinstance(driver, DriverError):
        return None
    state = driver.sqlstate
    if state == FULL or WRITE_FAILED in evidence:
        return StoreFull(evidence)
    if state in BUSY:
        return StoreBusy(evidence)
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    never_connected = state is None and isinstance(driver, (OperationalError, InterfaceError))
    if lost or never_connected or (state or "").startswith(GONE):
        return StoreUnavailable(evidence)
    if state in CONFLICTS:
        return StoreConflict(driver.diag.constraint_name or "")
    if isinstance(driver, DataError) or (state or "").startswith(UNSTORABLE):
        return UnstorableValue(driver.diag.message_primary or evidence)
    return None


@contextmanager
def store_errors() -> Generator[None]:
    """Raise the driver's errors as ``StoreError`` where they are the database's fault rather than the statement's."""
    try:
        yield
    except (DBAPIError, PoolTimeout, DriverError, ResourceClosedError) as error:
        ours = store_error(error)
        if ours is None:
            raise
        raise ours from error
