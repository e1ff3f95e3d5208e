"""What tables and their indexes take on the disk."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_SIZES = text("""
SELECT c.relname AS name, pg_table_size(c.oid) AS rows, pg_indexes_size(c.oid) AS indexes
  FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname = ANY (:tables)
 ORDER BY c.relname
""")


@dataclass(frozen=True)
class Footprint:
    """Bytes on the disk: of a table's rows with what is kept beside them, and of its indexes."""

    rows: int
    indexes: int


async def footprint(session: AsyncSession, tables: Collection[str]) -> dict[str, Footprint]:
    """The tables' sizes by name, of all tenants together."""
    rows = await session.execute(_SIZES, {"tables": list(tables)})
    return {row.name: Footprint(row.rows, row.indexes) for row in rows}
