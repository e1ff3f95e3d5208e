"""Statements in the driver's own form, ``%(name)s``, within a session's transaction: without the detour of compiling them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.records import Json


async def rows(session: AsyncSession, statement: str, values: Json) -> Sequence[Row[Any]]:
    """What the statement brings."""
    connection = await session.connection()
    return (await connection.exec_driver_sql(statement, values)).all()
