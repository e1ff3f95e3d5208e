"""Pages of a table in the order of creation, from a cursor on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from pagemind.errors import UnknownRecord

Record = TypeVar("Record", bound=SQLModel)


@dataclass(frozen=True)
class Slice:
    """A page: at most ``limit`` rows right after, or right before, a row, in this order; both cursors follow the order."""

    limit: int = 50
    before: UUID | None = None
    after: UUID | None = None
    descending: bool = True


async def sliced(session: AsyncSession, query: Select[Record], model: type[Record], page: Slice) -> Sequence[Record]:
    """The page of the query's rows by ``(created_at, id)``; UnknownRecord for a cursor that is no row of the tenant's."""
    columns: Any = model
    place = tuple_(columns.created_at, columns.id)
    # Asked for what comes before a row, the nearest rows are the last ones: read backwards, then turned.
    backwards = page.before is not None and page.after is None
    descending = page.descending != backwards
    for cursor, past in ((page.after, page.descending), (page.before, not page.descending)):
        if cursor is not None:
            at = tuple_(await created_at(session, model, cursor), cursor)
            query = query.where(place < at if past else place > at)
    ordered = (columns.created_at.desc(), columns.id.desc()) if descending else (columns.created_at, columns.id)
    rows: Sequence[Record] = (await session.execute(query.order_by(*ordered).limit(page.limit))).scalars().all()
    return rows[::-1] if backwards else rows


async def created_at(session: AsyncSession, model: type[SQLModel], cursor: UUID) -> Any:
    """When the cursor's row was made."""
    columns: Any = model
    found = (await session.execute(select(col(columns.created_at)).where(col(columns.id) == cursor))).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind=model.__name__.lower(), id=str(cursor))
    return found
