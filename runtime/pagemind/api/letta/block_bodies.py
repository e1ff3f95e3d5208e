"""Blocks as they come: to be made, or changed."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from pagemind.api.letta.block_json import EXTRA
from pagemind.api.values import Metadata, Tags, Words, cleaned
from pagemind.definitions.schema import MAX_BLOCK_CHARS
from pagemind.engine.blocks import BlockChanges
from pagemind.errors import BlockOverLimit
from pagemind.records import Block, Json

DEFAULT_LIMIT_CHARS = 100_000
Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"), AfterValidator(cleaned)]
Value = Annotated[str, Field(max_length=MAX_BLOCK_CHARS), AfterValidator(cleaned)]
Limit = Annotated[int, Field(ge=1, le=10_000_000)]
DESCRIPTIONS = {
    "human": "What you know of the person you talk with, so that you can meet them as somebody you know.",
    "persona": "Who you are and how you speak, so that you stay yourself from one conversation to the next.",
}
"""Of the labels that everybody uses, where the maker gave none."""


class BlockExtra(BaseModel):
    """What is kept of a block and given back."""

    project_id: Words | None = None
    template_name: Words | None = None
    template_id: Words | None = None
    base_template_id: Words | None = None
    deployment_id: Words | None = None
    entity_id: Words | None = None
    hidden: bool | None = None
    preserve_on_migration: bool | None = None
    is_template: bool | None = None
    metadata: Metadata | None = None

    def kept(self) -> Json:
        """What was given of it."""
        names = {*EXTRA, "preserve_on_migration", "is_template", "metadata"}
        given = self.model_dump(include=names & self.model_fields_set)
        return {name: value for name, value in given.items() if value is not None or name in EXTRA}


class BlockCreate(BlockExtra):
    """A block to make."""

    label: Label
    value: Value = ""
    limit: Limit | None = None
    description: Words | None = None
    read_only: bool = False
    tags: Tags | None = None

    def block(self, tenant_id: UUID) -> Block:
        """The new block; BlockOverLimit."""
        limit = self.limit or DEFAULT_LIMIT_CHARS
        if len(self.value) > limit:
            raise BlockOverLimit(label=self.label, length=len(self.value), limit=limit)
        return Block(
            tenant_id=tenant_id,
            label=self.label,
            value=self.value,
            description=DESCRIPTIONS.get(self.label, "") if self.description is None else self.description,
            limit_chars=limit,
            read_only=self.read_only,
            tags=list(dict.fromkeys(self.tags or ())),
            extra=self.kept(),
        )


class BlockUpdate(BlockExtra):
    """What to change of a block; what is not given, or null, stays."""

    label: Label | None = None
    value: Value | None = None
    limit: Limit | None = None
    description: Words | None = None
    read_only: bool | None = None
    tags: Tags | None = None

    def changes(self) -> BlockChanges:
        """The same in the engine's words."""
        return BlockChanges(
            label=self.label,
            value=self.value,
            limit_chars=self.limit,
            description=self.description,
            read_only=self.read_only,
            tags=None if self.tags is None else tuple(dict.fromkeys(self.tags)),
            extra=self.kept(),
        )
