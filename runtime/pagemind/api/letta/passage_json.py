"""Passages, archives and the embedder as they stand on Letta's wire."""

from __future__ import annotations

from pagemind.api.ids import optional_id, wire_id
from pagemind.api.times import stamp
from pagemind.engine.kernel import Kernel
from pagemind.records import Archive, Json, Passage

USER = "user-00000000-0000-4000-8000-000000000000"
ORGANIZATION = "org-00000000-0000-4000-8000-000000000000"
"""Letta's names for whoever uses a server without accounts."""
CHUNK_TOKENS = 300


def embedding_config(kernel: Kernel) -> Json:
    """The embedder that the server was started with: there is one, whatever handle a client names."""
    name = kernel.embedder.name.rpartition("/")[2]
    return {
        "embedding_endpoint_type": "openai" if kernel.settings.embedder.startswith("openai:") else "hugging-face",
        "embedding_endpoint": None,
        "embedding_model": name,
        "embedding_dim": kernel.embedder.dimensions or kernel.stored_dimensions or 0,
        "embedding_chunk_size": CHUNK_TOKENS,
        "handle": f"pagemind/{name}",
        "batch_size": 32,
        "azure_endpoint": None,
        "azure_version": None,
        "azure_deployment": None,
    }


def passage_json(passage: Passage, config: Json, *, folder_id: str | None = None, file_name: str | None = None) -> Json:
    """A passage. Its vector stays here: it is large, and of no use to a client."""
    of_file = passage.file_id is not None
    return {
        "id": wire_id("passage", passage.id),
        "text": passage.text,
        "embedding": None,
        "embedding_config": config,
        "archive_id": None if of_file else wire_id("archive", passage.archive_id),
        "source_id": folder_id,
        "file_id": optional_id("file", passage.file_id),
        "file_name": file_name or (passage.source if of_file else None),
        "metadata": passage.extra,
        "tags": passage.tags or None,
        "organization_id": ORGANIZATION,
        "is_deleted": passage.superseded_at is not None,
        "created_by_id": USER,
        "last_updated_by_id": USER,
        "created_at": stamp(passage.created_at),
        "updated_at": stamp(passage.created_at),
    }


def archive_json(archive: Archive, config: Json) -> Json:
    """An archive."""
    return {
        "id": wire_id("archive", archive.id),
        "name": archive.name,
        "description": archive.description or None,
        "organization_id": ORGANIZATION,
        "vector_db_provider": "native",
        "embedding_config": config,
        "metadata": archive.extra.get("metadata"),
        "created_by_id": USER,
        "last_updated_by_id": USER,
        "created_at": stamp(archive.created_at),
        "updated_at": stamp(archive.updated_at),
    }
