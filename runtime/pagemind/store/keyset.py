"""Pages of a table in the order of creation, or of another value, from a cursor on."""

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


async def sliced(
    session: AsyncSession, query: Select[Record], model: type[Record], page: Slice, by: Any = None
) -> Sequence[Record]:
    """The page of the query's rows by ``(by, id)``; UnknownRecord for a cursor that is no row of the tenant's.

    ``by`` is an expression of the model's columns: ``created_at`` unless given.
    """
    columns: Any = model
    by = columns.created_at if by is None else by
    place = tuple_(by, columns.id)
    # Asked for what comes before a row, the nearest rows are the last ones: read backwards, then turned.
    backwards = page.before is not None and page.after is None
    descending = page.descending != backwards
    for cursor, past in ((page.after, page.descending), (page.before, not page.descending)):
        if cursor is not None:
            at = tuple_(await value_of(session, model, by, cursor), cursor)
            query = query.where(place < at if past else place > at)
    ordered = (by.desc(), columns.id.desc()) if descending else (by, columns.id)
    rows: Sequence[Record] = (await session.execute(query.order_by(*ordered).limit(page.limit))).scalars().all()
    return rows[::-1] if backwards else rows


async def value_of(session: AsyncSession, model: type[SQLModel], by: Any, cursor: UUID) -> Any:
    """What the list goes by, of the cursor's row, which may have gone out of the list meanwhile."""
    columns: Any = model
    found = (await session.execute(select(by).where(col(columns.id) == cursor))).scalar_one_or_none()
    if found is None:
        raise UnknownRecord(kind=model.__name__.lower(), id=str(cursor))
    return found
