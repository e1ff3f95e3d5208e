"""What is known of collections that are too large to be looked through row by row."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlmodel import Field, SQLModel

from pagemind.records.base import Json, json_object, key, tenant, timestamp


class SearchCollection(SQLModel, table=True):
    """A large archive or conversation as it was when it was last surveyed, and which indexes of its own it has."""

    __tablename__: ClassVar[str] = "search_collections"  # pyright: ignore[reportIncompatibleVariableOverride]

    tenant_id: UUID = tenant()
    id: UUID = key()
    """The archive's, or the conversation's."""
    kind: str
    """``passage`` or ``message``."""
    rows: int
    """About how many of them a search may bring."""
    shares: Json = json_object()
    """How common words, tags, sources and times are in it (``store.shares``)."""
    words_ready: bool = Field(default=False)
    """Whether its index of words is complete."""
    models: Json = json_object()
    """Of each embedding model whose index of its vectors is complete, the dimensions."""
    surveyed_at: datetime = timestamp()
