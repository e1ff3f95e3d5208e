"""What an import takes from files and folders: text in pieces with its place, memories of JSON lines, and clear refusals."""

from __future__ import annotations

import io
import json
import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from pagemind.engine.archival import Draft
from pagemind.engine.cutting import Cutting, cutting_for
from pagemind.engine.import_files import Found, Refused, find, refuse_missing
from pagemind.engine.import_texts import Reading, known_encoding
from pagemind.errors import ChunkTooLong, ImportMissing, UnknownEncoding
from pagemind.memory.chunks import chunks_of
from pagemind.model.embedder import make_embedder
from pagemind.settings import Settings
from pagemind.testing.vectors import HashEmbedder

pytestmark = pytest.mark.anyio

LIMIT = 100_000


async def read(*named: Path, tokens: int = 240, limit: int = LIMIT, encoding: str | None = None) -> tuple[list[Draft], Reading]:
    """The drafts of an import, and what it says of itself."""
    reading = Reading(named, Cutting(tokens), limit, ("tagged",), encoding)
    return [draft async for draft in reading.drafts()], reading


def refusals(reading: Reading) -> dict[str, str]:
    return {each.where: each.why for each in reading.refusals}


# --- which files ------------------------------------------------------------------------------------------------------------


def test_a_folder_is_gone_through_without_hidden_files_links_out_and_what_programs_make(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "notes"
    for name in ("b.md", "a/c.txt", ".git/config.txt", ".hidden.md", "node_modules/x.js", "pic.png", "a/blob"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("text")
    (root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (root / "away").symlink_to(tmp_path)
    (root / "loop").symlink_to(root)
    (root / "again.md").symlink_to(root / "b.md")
    (root / "gone.md").symlink_to(root / "nothing.md")
    found = {each.source if isinstance(each, Found) else each.where: each for each in find([root], LIMIT)}
    assert {name for name, each in found.items() if isinstance(each, Found)} == {"b.md", "a/c.txt", "again.md"}
    assert {name: each.why for name, each in found.items() if isinstance(each, Refused)} == {
        "pic.png": "it is of an unknown type",
        "a/blob": "it is of an unknown type",
        "out.txt": "it is a link out of the folder",
        "away": "it is a link out of the folder",
        "gone.md": "no such file or directory",
    }


def test_what_is_named_is_taken_though_it_is_hidden_or_a_link(tmp_path: Path) -> None:
    (tmp_path / ".env.md").write_text("text")
    (tmp_path / "link.md").symlink_to(tmp_path / ".env.md")
    found = list(find([tmp_path / ".env.md", tmp_path / "link.md"], LIMIT))
    assert [each.source for each in found if isinstance(each, Found)] == [".env.md", "link.md"]


def test_a_large_document_is_refused_but_json_lines_may_be_of_any_size(tmp_path: Path) -> None:
    for name in ("a.txt", "a.jsonl"):
        (tmp_path / name).write_text("x" * 11)
    [lines, text] = find([tmp_path], 10)
    assert isinstance(lines, Found)
    assert text == Refused("a.txt", "it has 11 bytes, and at most 10 are taken in (PAGEMIND_FILE_LIMIT_BYTES)")


def test_a_path_that_is_not_there_is_an_error_before_anything_else(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    for path in (tmp_path / "nowhere", tmp_path / "pipe.txt", tmp_path / ("n" * 300)):
        with pytest.raises(ImportMissing):
            refuse_missing([tmp_path, path])


# --- documents --------------------------------------------------------------------------------------------------------------


async def test_a_document_becomes_pieces_that_know_their_lines_and_heading(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "garden.md").write_text("# Garden\n\nFigs ripen.\n\n# Tools\n\nThe spade is green.\n")
    drafts, reading = await read(tmp_path)
    assert [(draft.text, draft.source, draft.extra, draft.origin, draft.tags) for draft in drafts] == [
        (
            "# Garden\n\nFigs ripen.",
            "sub/garden.md",
            {"first_line": 1, "last_line": 4, "heading": "Garden"},
            "imported",
            ("tagged",),
        ),
        (
            "# Tools\n\nThe spade is green.",
            "sub/garden.md",
            {"first_line": 5, "last_line": 8, "heading": "Tools"},
            "imported",
            ("tagged",),
        ),
    ]
    assert (reading.files, reading.pieces, reading.refused) == (1, 2, 0)


async def test_marks_say_what_a_file_is_written_in_and_anything_else_must_be_utf_8(tmp_path: Path) -> None:
    said = "Café Ω"
    for name, written_in in (("8.txt", "utf-8"), ("mark.txt", "utf-8-sig"), ("16.txt", "utf-16"), ("32.txt", "utf-32")):
        (tmp_path / name).write_text(said, written_in)
    (tmp_path / "old.txt").write_bytes(b"plain\ncaf\xe9\n")
    (tmp_path / "bare.txt").write_bytes(said.encode("utf-16-le"))
    (tmp_path / "nul.txt").write_bytes(b"a\x00b")
    drafts, reading = await read(tmp_path)
    assert sorted(draft.source for draft in drafts if draft.text == said) == ["16.txt", "32.txt", "8.txt", "mark.txt"]
    assert refusals(reading) == {
        "old.txt": "it is not utf-8: byte 0xe9 on line 2; if it is Windows-1252, say --encoding cp1252",
        "bare.txt": "it is not utf-8: byte 0xe9 on line 1; if it is Windows-1252, say --encoding cp1252",
        "nul.txt": "it holds NUL bytes: it is no text, or UTF-16 without its mark: then say --encoding utf-16-le",
    }
    drafts, _ = await read(tmp_path / "old.txt", encoding="cp1252")
    assert [draft.text for draft in drafts] == ["plain\ncafé"]
    drafts, _ = await read(tmp_path / "bare.txt", encoding="utf-16-le")
    assert [draft.text for draft in drafts] == [said]


def test_an_encoding_must_be_one() -> None:
    assert known_encoding("Latin-1") == "iso8859-1"
    with pytest.raises(UnknownEncoding):
        known_encoding("klingon")


async def test_files_without_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.md").write_text("")
    (tmp_path / "blank.md").write_text("\n \t\n")
    drafts, reading = await read(tmp_path)
    assert drafts == []
    assert refusals(reading) == {"empty.md": "it holds no text", "blank.md": "it holds no text"}
    assert reading.files == 0


@pytest.mark.skipif(find_spec("pypdf") is None, reason="the extra `documents` (pypdf) is not installed")
async def test_the_pieces_of_a_pdf_know_their_page(tmp_path: Path) -> None:
    (tmp_path / "paper.pdf").write_bytes(pdf("The treaty was signed in Porto.", "# Page 7", "It ended in May."))
    (tmp_path / "pictures.pdf").write_bytes(pdf("", ""))
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    drafts, reading = await read(tmp_path)
    assert [(draft.text, draft.source, draft.extra) for draft in drafts] == [
        ("The treaty was signed in Porto.", "paper.pdf", {"page": 1}),
        ("# Page 7", "paper.pdf", {"page": 2}),
        ("It ended in May.", "paper.pdf", {"page": 3}),
    ]
    assert refusals(reading) == {
        "broken.pdf": "the PDF could not be read: its process failed",
        "pictures.pdf": "the PDF holds no text: it may be made of pictures",
    }


# --- JSON lines -------------------------------------------------------------------------------------------------------------


async def test_bad_lines_are_refused_by_their_number_and_do_not_stop_the_others(tmp_path: Path) -> None:
    lines = [
        b'{"text": "One.", "tags": ["a"], "metadata": {"id": 1}}',
        b"",
        b"nonsense",
        b'"Two."',
        b'{"text": "caf\xe9"}',
        b'{"text": "' + b"x" * 300 + b'"}',
        b'{"text": "Three.", "source": "elsewhere", "created_at": "2026-05-01T09:00:00Z"}',
    ]
    (tmp_path / "facts.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    drafts, reading = await read(tmp_path, limit=200)
    assert [(draft.text, draft.source, draft.extra, draft.tags) for draft in drafts] == [
        ("One.", "facts.jsonl", {"id": 1, "line": 1}, ("tagged", "a")),
        ("Two.", "facts.jsonl", {"line": 4}, ("tagged",)),
        ("Three.", "elsewhere", {"line": 7}, ("tagged",)),
    ]
    assert str(drafts[2].created_at) == "2026-05-01 09:00:00+00:00"
    assert refusals(reading) == {
        "facts.jsonl:3": "it is no JSON: Expecting value at column 1",
        "facts.jsonl:5": "it is not utf-8: byte 0xe9 at column 14",
        "facts.jsonl:6": "it is longer than 200 bytes (PAGEMIND_FILE_LIMIT_BYTES)",
    }


async def test_a_long_memory_becomes_parts_of_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text(
        json.dumps({"text": "word " * 400, "metadata": {"id": 1}}) + '\n"# A\\n\\nb\\n# C\\nd"\n'
    )
    drafts, _ = await read(tmp_path, tokens=100)
    assert [draft.extra for draft in drafts[:-1]] == [{"id": 1, "line": 1, "part": part} for part in range(1, len(drafts))]
    assert len(drafts) > 5
    # One that fits stays whole, headings or not.
    assert (drafts[-1].text, drafts[-1].extra) == ("# A\n\nb\n# C\nd", {"line": 2})


async def test_json_lines_in_utf_16_are_refused_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('"One."\n', "utf-16")
    drafts, reading = await read(tmp_path)
    assert (drafts, list(refusals(reading))) == ([], ["a.jsonl"])


async def test_of_very_many_refusals_all_are_counted_and_some_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("bad\n" * 3_000)
    _, reading = await read(tmp_path)
    assert (reading.refused, len(reading.refusals)) == (3_000, 1_000)


# --- tokens -----------------------------------------------------------------------------------------------------------------


async def test_no_piece_is_longer_than_what_the_embedder_reads() -> None:
    embedder = make_embedder(Settings())
    try:
        cutting = await cutting_for(embedder, 254)
        text = "Pneumonoultramicroscopicsilicovolcanoconiosis 🦑 schadenfreude 日本語 0x7f3a9c2e.\n" * 200 + "z" * 9_000
        counted = cutting.count([piece.text for piece in chunks_of(text, tokens=cutting.tokens, count=cutting.count)])
        assert 200 < max(counted) <= 254
        with pytest.raises(ChunkTooLong):
            await cutting_for(embedder, 255)
    finally:
        await embedder.close()


async def test_an_embedder_that_cannot_count_has_pieces_by_estimate() -> None:
    cutting = await cutting_for(HashEmbedder(), 300)
    assert (cutting.tokens, list(cutting.count(["x" * 400]))) == (300, [100.0])


def pdf(*pages: str) -> bytes:
    """A PDF of pages with these texts."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode() if text else b""
        fonts = b"/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R %s >>" % (5 + 2 * number, fonts))
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    out, places = io.BytesIO(), list[int]()
    out.write(b"%PDF-1.4\n")
    for number, each in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, each))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return out.getvalue()
