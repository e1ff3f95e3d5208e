"""What is searched: passages and messages, each with its vectors and the collections that its rows belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pagemind.records import Json

Kind = Literal["passage", "message"]


@dataclass(frozen=True)
class Space:
    """Names in the schema. A row is called ``row`` in conditions, its vector ``e``."""

    kind: Kind
    table: str
    row: str
    collection: str
    """The column that names the archive, or the conversation."""
    vectors: str
    """The table of the vectors."""
    key: str
    """That table's reference to the row."""
    searchable: str
    """What every row that a search may bring is; an index of one collection holds only such rows."""


PASSAGES = Space("passage", "passages", "p", "archive_id", "passage_embeddings", "passage_id", "superseded_at IS NULL")
MESSAGES = Space("message", "messages", "m", "conversation_id", "message_embeddings", "message_id", "seq IS NOT NULL")
SPACES = (PASSAGES, MESSAGES)


@dataclass(frozen=True)
class Scope:
    """Whose rows are searched: SQL from FROM on, the table as ``{table}`` and its row as ``{row}``, and its values."""

    sql: str
    values: Json

    def of(self, table: str, row: str) -> str:
        """The rows of that table; ends within WHERE."""
        return self.sql.format(table=table, row=row)
