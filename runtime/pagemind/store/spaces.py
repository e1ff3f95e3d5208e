"""What is searched: passages and messages, each with its vectors and the collections that its rows belong to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

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
    facets: str
    """What filters ask for by its value, as one array: SQL. An index of it matches only the very same expression."""
    indexed: tuple[str, ...]
    """The indexes of rows that a large collection has, each as it stands behind USING."""


_OF_PASSAGES = "ARRAY[source::text, origin::text, identity_id::text]"
_OF_MESSAGES = "ARRAY[role::text, sender::text]"
PASSAGES = Space(
    kind="passage",
    table="passages",
    row="p",
    collection="archive_id",
    vectors="passage_embeddings",
    key="passage_id",
    searchable="superseded_at IS NULL",
    facets=_OF_PASSAGES,
    indexed=(f"gin (words, tags, ({_OF_PASSAGES}))",),
)
MESSAGES = Space(
    kind="message",
    table="messages",
    row="m",
    collection="conversation_id",
    vectors="message_embeddings",
    key="message_id",
    searchable="seq IS NOT NULL",
    facets=_OF_MESSAGES,
    indexed=(f"gin (words, ({_OF_MESSAGES}))", "btree (created_at)"),
)
SPACES = (PASSAGES, MESSAGES)


@dataclass(frozen=True)
class Scope:
    """Whose rows are searched: SQL from FROM on, the table as ``{table}`` and its row as ``{row}``, and its values."""

    sql: str
    values: Json
    archives: str = ""
    """The ids of the archives that it consists of, as SQL; of conversations, ``values`` has them as ``conversations``."""

    def of(self, table: str, row: str) -> str:
        """The rows of that table; ends within WHERE."""
        return self.sql.format(table=table, row=row)

    def without(self, space: Space, ids: Collection[UUID]) -> Scope:
        """This scope without those collections."""
        if not self.archives:
            left = [id for id in self.values["conversations"] if id not in ids]
            return Scope(self.sql, {**self.values, "conversations": left})
        others = f"SELECT id FROM ({self.archives}) AS a WHERE id <> ALL (%(large)s::uuid[])"  # noqa: S608 - constants
        sql = f"{self.sql} AND {{row}}.{space.collection} = ANY (ARRAY({others}))"
        return Scope(sql, {**self.values, "large": list(ids)}, self.archives)
