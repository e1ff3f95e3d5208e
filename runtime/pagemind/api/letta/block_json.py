"""A block as it stands on Letta's wire."""

from __future__ import annotations

from pagemind.api.ids import wire_id
from pagemind.records import Block, Json, Owner

EXTRA = (
    "project_id", "template_name", "template_id", "base_template_id", "deployment_id", "entity_id", "hidden",
)  # fmt: skip
"""What is given back as it was given; None where it was not."""


def block_json(block: Block) -> Json:
    """The block; one that a file has the last word on is read-only."""
    extra = block.extra
    return {
        "value": block.value,
        "limit": block.limit_chars,
        "project_id": extra.get("project_id"),
        "template_name": extra.get("template_name"),
        "is_template": extra.get("is_template", False),
        "template_id": extra.get("template_id"),
        "base_template_id": extra.get("base_template_id"),
        "deployment_id": extra.get("deployment_id"),
        "entity_id": extra.get("entity_id"),
        "preserve_on_migration": extra.get("preserve_on_migration", False),
        "label": block.label,
        "read_only": block.read_only or block.owner == Owner.config,
        "description": block.description or None,
        "metadata": extra.get("metadata") or {},
        "hidden": extra.get("hidden"),
        "id": wire_id("block", block.id),
        "created_by_id": None,
        "last_updated_by_id": None,
        "tags": list(block.tags),
    }
