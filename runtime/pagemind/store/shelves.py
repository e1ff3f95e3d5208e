"""What stands in an agent's window of its folders and open files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from pagemind.records import Shelf

MOST_FILES = 100
"""So many of each folder are named."""


def shelves_sql(since: str = "0") -> str:
    """Of agent ``a``, as JSON; with the views of files that were opened after the revision ``since``."""
    return f"""
    SELECT json_agg(json_build_object(
               'name', o.name, 'description', o.description, 'instructions', o.instructions,
               'total', (SELECT count(*) FROM files f WHERE f.tenant_id = o.tenant_id AND f.folder_id = o.id),
               'files', (SELECT json_agg(f.name ORDER BY f.name)
                           FROM (SELECT f.name FROM files f WHERE f.tenant_id = o.tenant_id AND f.folder_id = o.id
                                  ORDER BY f.name LIMIT {MOST_FILES}) f),
               'views', (SELECT json_agg(json_build_array(f.name, v.shown) ORDER BY f.name)
                           FROM agent_files v JOIN files f ON f.tenant_id = v.tenant_id AND f.id = v.file_id
                          WHERE v.agent_id = l.agent_id AND v.is_open AND v.revision > {since} AND f.folder_id = o.id))
           ORDER BY l.created_at, o.name)
      FROM agent_folders l JOIN folders o ON o.tenant_id = l.tenant_id AND o.id = l.folder_id
     WHERE l.agent_id = a.id"""  # noqa: S608 - constants; every value is a parameter


_SINCE = text(f"SELECT ({shelves_sql(':since')}) AS shelves FROM agents a WHERE a.id = :agent")  # noqa: S608


async def of_agent(session: AsyncSession, agent_id: UUID, since: int) -> tuple[Shelf, ...]:
    """The agent's folders, with the views of the files that were opened after that revision."""
    return as_shelves((await session.execute(_SINCE, {"agent": agent_id, "since": since})).scalar_one_or_none())


def as_shelves(rows: list[dict[str, Any]] | None) -> tuple[Shelf, ...]:
    """The shelves that the statement gives."""
    return tuple(
        Shelf(
            name=row["name"],
            description=row["description"],
            instructions=row["instructions"],
            files_total=row["total"],
            files=tuple(row["files"] or ()),
            views=tuple((name, shown) for name, shown in row["views"] or ()),
        )
        for row in rows or ()
    )
