"""Folders and files as they stand on Letta's wire."""

from __future__ import annotations

from pagemind.api.ids import wire_id
from pagemind.api.letta.passage_json import ORGANIZATION, USER
from pagemind.api.times import optional_stamp, stamp
from pagemind.records import File, FileState, Folder, Json
from pagemind.store.agent_files import Readable


def folder_json(folder: Folder, config: Json) -> Json:
    """A folder, which Letta also calls a source."""
    return {
        "id": wire_id("source", folder.id),
        "name": folder.name,
        "description": folder.description or None,
        "instructions": folder.instructions or None,
        "metadata": folder.extra.get("metadata"),
        "embedding_config": config,
        "organization_id": ORGANIZATION,
        "vector_db_provider": "native",
        "created_by_id": USER,
        "last_updated_by_id": USER,
        "created_at": stamp(folder.created_at),
        "updated_at": stamp(folder.updated_at),
    }


def file_json(file: File, embedded: int, *, name: str | None = None, content: str | None = None) -> Json:
    """A file; ``embedded`` of its pieces have their vectors."""
    waits = file.state == FileState.pending
    return {
        "id": wire_id("file", file.id),
        "source_id": wire_id("source", file.folder_id),
        "file_name": name or file.name,
        "original_file_name": file.extra.get("original_name", file.name),
        "file_path": None,
        "file_type": file.media_type,
        "file_size": file.size_bytes,
        "file_creation_date": None,
        "file_last_modified_date": None,
        "processing_status": "parsing" if waits else file.state,
        "error_message": file.error or None,
        "total_chunks": None if waits else file.chunks,
        "chunks_embedded": None if waits else embedded,
        "content": content,
        "organization_id": ORGANIZATION,
        "created_at": stamp(file.created_at),
        "updated_at": stamp(file.updated_at),
    }


def agent_file_json(file: Readable) -> Json:
    """A file as one agent has it."""
    return {
        "id": wire_id("file_agent", file.link_id or file.id),
        "file_id": wire_id("file", file.id),
        "file_name": file.name,
        "folder_id": wire_id("source", file.folder_id),
        "folder_name": file.folder,
        "is_open": file.is_open,
        "last_accessed_at": optional_stamp(file.used_at),
        "visible_content": file.shown if file.is_open else None,
        "start_line": file.first_line,
        "end_line": file.last_line,
    }
