"""Tables behind the records, for statements that want nothing of the mapping."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table, inspect
from sqlmodel import SQLModel


def table_of(model: type[SQLModel]) -> Table:
    """The record's table."""
    return cast("Table", inspect(model).local_table)
