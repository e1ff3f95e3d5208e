"""Folders of an agent file, or of a server, with their documents: text that is taken in as if it had been uploaded."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from pagemind.api.letta.agent_file_schema import FileDocument, FileSource
from pagemind.api.letta.history import NewId
from pagemind.api.letta.safe_names import safe_name
from pagemind.engine.agent_files import Drawer
from pagemind.records import File, Folder
from pagemind.records.text import clean_text

PLAIN = "text/plain"


def drawer_of(source: FileSource, documents: Iterable[FileDocument], tenant_id: UUID, ids: NewId, origin: str) -> Drawer:
    """A folder with its documents. Their pieces and vectors are made here."""
    folder = Folder(
        tenant_id=tenant_id,
        id=ids(f"folder/{source.id}"),
        name=safe_name(source.name) or "folder",
        description=source.description or "",
        instructions=source.instructions or "",
        archive_id=ids(f"archive/{source.id}"),
        extra={"origin": f"{origin}/{source.id}", "metadata": source.metadata},
    )
    own = [each for each in documents if each.source_id == source.id and each.content]
    return Drawer(folder, [file_of(each, folder, source.name, ids) for each in own])


def file_of(document: FileDocument, folder: Folder, source_name: str, ids: NewId) -> File:
    """A document, to be taken in. Letta puts the folder's name before that of the file."""
    content = clean_text(document.content or "").encode()
    name = document.file_name.removeprefix(f"{source_name}/")
    return File(
        tenant_id=folder.tenant_id,
        id=ids(f"file/{document.id}"),
        folder_id=folder.id,
        name=safe_name(name) or "file",
        media_type=PLAIN,
        size_bytes=len(content),
        upload=content,
        extra={"original_name": clean_text(document.original_file_name or name)},
    )
