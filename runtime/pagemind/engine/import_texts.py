"""What files become in an import: pieces of documents with their lines or pages, and memories of JSON lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from pagemind.engine.archival import Draft
from pagemind.engine.cutting import Cutting
from pagemind.engine.documents import PDF, Unreadable, text_of
from pagemind.engine.import_files import Found, Refused, find
from pagemind.engine.intake import place
from pagemind.errors import UnknownEncoding
from pagemind.memory.chunks import chunks_of
from pagemind.memory.jsonl import BadLine, Entry, entry_of
from pagemind.records import Json, Origin
from pagemind.records.text import clean_text
from pagemind.toolbox.threads import in_thread

Item = TypeVar("Item")

AT_ONCE = 256
REFUSALS_KEPT = 1_000
UTF_8 = "utf-8"
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The mark that a file may begin with, and what it is written in then; longer marks first."""
PAGE = re.compile(r"# Page (\d+)")


@dataclass
class Reading:
    """One pass over what is to be imported. Of what is refused the first ``REFUSALS_KEPT`` are kept."""

    named: Sequence[Path]
    cutting: Cutting
    limit_bytes: int
    tags: tuple[str, ...] = ()
    encoding: str | None = None
    """What files are written in; None: by their mark, else UTF-8."""
    files: int = 0
    pieces: int = 0
    bytes: int = 0
    """Of the files that were read so far."""
    refused: int = 0
    refusals: list[Refused] = field(default_factory=list[Refused])

    def refuse(self, refused: Refused) -> None:
        """Note what cannot be imported."""
        self.refused += 1
        if len(self.refusals) < REFUSALS_KEPT:
            self.refusals.append(refused)

    async def drafts(self) -> AsyncIterator[Draft]:
        """The passages to be, file by file; reading and cutting are done in threads. Raises ImportMissing."""
        async for found in in_parts(find(self.named, self.limit_bytes)):
            if isinstance(found, Refused):
                self.refuse(found)
                continue
            before = self.bytes
            try:
                async for draft in self._of_file(found):
                    self.pieces += 1
                    yield draft
                self.files += 1
            except Unreadable as error:
                self.refuse(Refused(found.source, str(error)))
            except OSError as error:
                self.refuse(Refused(found.source, (error.strerror or str(error)).lower()))
            self.bytes = before + found.size_bytes

    async def _of_file(self, found: Found) -> AsyncIterator[Draft]:
        """The file's passages. Raises Unreadable, OSError."""
        drafts = self._of_lines(found) if found.is_json_lines else await self._of_document(found)
        async for draft in in_parts(drafts):
            if isinstance(draft, Refused):
                self.refuse(draft)
            else:
                yield draft

    async def _of_document(self, found: Found) -> Iterator[Draft]:
        content = cast("bytes", await in_thread(found.path.read_bytes))
        if found.media_type == PDF:
            text = await text_of(PDF, content)
            return (self._draft(found, piece, {"page": page}) for page, part in pages_of(text) for piece in self._cut(part))
        text = clean_text(cast("str", await in_thread(partial(decoded, content, self.encoding))))
        if not text.strip():
            raise Unreadable("it holds no text")
        chunks = chunks_of(text, tokens=self.cutting.tokens, count=self.cutting.count)
        return (self._draft(found, chunk.text, place(chunk)) for chunk in chunks)

    def _of_lines(self, found: Found) -> Iterator[Draft | Refused]:
        """The memories of a file of JSON lines, and the lines that hold none. Blocking; raises Unreadable, OSError."""
        with found.path.open("rb") as file:
            for some in batches(numbered_entries(file, found.source, self.limit_bytes, self.encoding), AT_ONCE):
                self.bytes += sum(size for _, _, size in some)
                entries = [(number, entry) for number, entry, _ in some if isinstance(entry, Entry)]
                yield from (entry for _, entry, _ in some if isinstance(entry, Refused))
                for (number, entry), tokens in zip(entries, self.cutting.count([e.text for _, e in entries]), strict=True):
                    yield from self._of_entry(found, number, entry, tokens)

    def _of_entry(self, found: Found, number: int, entry: Entry, tokens: float) -> Iterator[Draft]:
        extra = {**entry.metadata, "line": number}
        pieces = [entry.text] if tokens <= self.cutting.tokens else list(self._cut(entry.text))
        for part, piece in enumerate(pieces, start=1):
            yield self._draft(found, piece, {**extra, "part": part} if len(pieces) > 1 else extra, entry)

    def _cut(self, text: str) -> Iterator[str]:
        return (chunk.text for chunk in chunks_of(text, tokens=self.cutting.tokens, count=self.cutting.count))

    def _draft(self, found: Found, text: str, extra: Json, entry: Entry | None = None) -> Draft:
        return Draft(
            text=text,
            tags=(*self.tags, *(entry.tags if entry else ())),
            created_at=entry.created_at if entry else None,
            extra=extra,
            source=(entry.source if entry else "") or clean_text(found.source),
            origin=Origin.imported,
        )


def known_encoding(name: str | None) -> str | None:
    """The encoding's own name. Raises UnknownEncoding."""
    if name is None:
        return None
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise UnknownEncoding(name=name) from None


def decoded(content: bytes, encoding: str | None) -> str:
    """The text that the bytes stand for: by their mark, as they are said to be written, else as UTF-8. Raises Unreadable."""
    written_in = next((each for mark, each in MARKS if content.startswith(mark)), encoding or UTF_8)
    try:
        text = content.decode(written_in)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        hint = "" if encoding else "; if it is Windows-1252, say --encoding cp1252"
        raise Unreadable(f"it is not {written_in}: byte 0x{content[error.start]:02x} on line {line:,}{hint}") from None
    if "\x00" in text:
        hint = "" if encoding else ", or UTF-16 without its mark: then say --encoding utf-16-le"
        raise Unreadable(f"it holds NUL bytes: it is no text{hint}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def pages_of(text: str) -> Iterator[tuple[int, str]]:
    """The pages of a PDF's text, as ``pdf_apart`` writes it: each under a heading with its number, which is taken off."""
    number, lines = 0, list[str]()
    for line in text.split("\n"):
        heading = PAGE.fullmatch(line)
        # A page may have such a line itself; only the next number in turn begins one.
        if heading and int(heading[1]) == number + 1:
            if number:
                yield number, "\n".join(lines)
            number, lines = number + 1, []
        else:
            lines.append(line)
    if number:
        yield number, "\n".join(lines)


def numbered_entries(
    file: BinaryIO, source: str, limit_bytes: int, encoding: str | None
) -> Iterator[tuple[int, Entry | Refused, int]]:
    """Each line that is not blank: its number, what it says or why it is refused, and its bytes. Raises Unreadable."""
    for number, line in numbered_lines(file, limit_bytes):
        if number == 1:
            if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise Unreadable("it is UTF-16; JSON lines are UTF-8: convert it first, with iconv -f utf-16 -t utf-8")
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            continue
        try:
            if len(line) > limit_bytes:
                raise BadLine(f"it is longer than {limit_bytes:,} bytes (PAGEMIND_FILE_LIMIT_BYTES)")
            yield number, entry_of(line.decode(encoding or UTF_8)), len(line)
        except UnicodeDecodeError as error:
            why = f"it is not {encoding or UTF_8}: byte 0x{line[error.start]:02x} at column {error.start + 1}"
            yield number, Refused(f"{source}:{number}", why), len(line)
        except BadLine as error:
            yield number, Refused(f"{source}:{number}", str(error)), len(line)


def numbered_lines(file: BinaryIO, limit_bytes: int) -> Iterator[tuple[int, bytes]]:
    """The lines from 1; of one that is longer than the limit so much that this shows."""
    number = 0
    while line := file.readline(limit_bytes + 1):
        number += 1
        yield number, line
        while line and not line.endswith(b"\n"):
            line = file.readline(limit_bytes + 1)


async def in_parts(items: Iterable[Item], at_once: int = AT_ONCE) -> AsyncIterator[Item]:
    """The items, taken in a thread, many at a time: what makes them may block."""
    parts = batches(items, at_once)
    while part := cast("list[Item] | None", await in_thread(lambda: next(parts, None))):
        for item in part:
            yield item


def batches(items: Iterable[Item], most: int) -> Iterator[list[Item]]:
    """The items in lists of at most so many."""
    iterator = iter(items)
    while some := list(islice(iterator, most)):
        yield some
