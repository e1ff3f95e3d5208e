"""Documents: which files are taken in, and how they become text."""

from __future__ import annotations

import codecs
import mimetypes
from importlib.util import find_spec
from pathlib import PurePosixPath

from pagemind.engine.apart import ApartFailed, apart
from pagemind.records.text import clean_text
from pagemind.toolbox.threads import in_thread

PDF = "application/pdf"
PLAIN = frozenset(
    {
        "application/json", "application/x-ndjson", "application/jsonl", "application/x-jsonlines", "application/xml",
        "application/javascript", "application/x-javascript", "application/typescript", "application/x-typescript",
        "application/x-sh", "application/x-python", "application/x-python-code", "application/yaml", "application/x-yaml",
        "application/toml", "application/sql", "application/x-sql", "application/x-tex", "application/x-ruby",
        "application/x-httpd-php", "application/x-perl", "application/rtf", "application/graphql", "message/rfc822",
    }
)  # fmt: skip
"""Media types that are text without saying so."""
ENDINGS = frozenset(
    {
        ".txt", ".text", ".md", ".markdown", ".rst", ".org", ".log", ".csv", ".tsv", ".json", ".jsonl", ".ndjson",
        ".xml", ".html", ".htm", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".env", ".py", ".pyi", ".js",
        ".mjs", ".jsx", ".ts", ".tsx", ".java", ".kt", ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".go", ".rs", ".rb",
        ".php", ".pl", ".lua", ".r", ".swift", ".scala", ".sh", ".bash", ".zsh", ".ps1", ".bat", ".sql", ".tex",
        ".bib", ".css", ".scss", ".less", ".vue", ".svelte", ".dart", ".ex", ".exs", ".erl", ".hs", ".ml", ".clj",
        ".jl", ".proto", ".graphql", ".diff", ".patch", ".make", ".cmake", ".gradle", ".tf", ".nix", ".srt", ".vtt",
    }
)  # fmt: skip
PDF_SECONDS = 120.0
PDF_MEMORY_BYTES = 2 * 1024**3
MOST_TEXT_CHARS = 50_000_000


class Unreadable(Exception):
    """The file is not what it says it is; the message says why, for people."""


def media_type_of(name: str, declared: str) -> str | None:
    """What the file is, by what the client says, else by its name; None where it is nothing that becomes text."""
    said = declared.partition(";")[0].strip().lower()
    guessed = (mimetypes.guess_type(name)[0] or "").lower()
    for each in (said, guessed):
        if each == PDF or each in PLAIN or each.startswith("text/"):
            return guessed if guessed and readable(guessed) else each
    return "text/plain" if PurePosixPath(name).suffix.lower() in ENDINGS else None


def readable(media_type: str) -> bool:
    """Whether files of this type become text."""
    return media_type == PDF or media_type in PLAIN or media_type.startswith("text/")


def reads_pdf() -> bool:
    """Whether the library for it is installed (the extra ``documents``)."""
    return find_spec("pypdf") is not None


async def text_of(media_type: str, content: bytes) -> str:
    """The document as text. Raises Unreadable."""
    if media_type != PDF:
        return str(await in_thread(lambda: clean_text(decoded(content)[:MOST_TEXT_CHARS])))
    if not reads_pdf():
        raise Unreadable("PDF files need the extra `documents`: pip install 'pagemind[documents]'")
    try:
        written = await apart("pagemind.engine.pdf_apart", content, seconds=PDF_SECONDS, memory_bytes=PDF_MEMORY_BYTES)
    except ApartFailed as error:
        raise Unreadable(f"the PDF could not be read: {error}") from error
    text = written.decode(errors="replace")[:MOST_TEXT_CHARS]
    if not any(line.strip() for line in text.splitlines() if not line.startswith("# Page ")):
        raise Unreadable("the PDF holds no text: it may be made of pictures")
    return clean_text(text)


def decoded(content: bytes) -> str:
    """The bytes as text, by their mark, as UTF-8, else as what most old files are; every file has some text."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = content.decode("utf-16", "replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("cp1252", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
