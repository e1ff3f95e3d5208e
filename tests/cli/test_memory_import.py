"""``pagemind memory import`` as a person calls it: a real embedder, and a real process that is killed in the middle."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import text

from pagemind.settings import Settings
from pagemind.store.database import Database
from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.shell import Shell

from ..within import Within

pytestmark = pytest.mark.anyio

Seen = TypeVar("Seen")

AGENT = "kind: agent\nversion: 1\nname: ada\ninstructions: You are a test.\n"
KILLED_FACTS = 4_500
FIRST_COMMIT_SECONDS = 100.0


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """The command line on a home folder with one agent; the database runs as long as the module's tests."""
    home = tmp_path_factory.mktemp("home")
    server = EmbeddedPostgres(home)
    server.join()
    shell = Shell(home, tmp_path_factory.mktemp("empty"))
    (shell.folder / "ada.yaml").write_text(AGENT)
    shell.ok("apply", "ada.yaml")
    yield shell
    server.leave()


@pytest.fixture
async def database(shell: Shell) -> AsyncGenerator[Database]:
    opened = await Database.open(Settings(home=shell.home))
    yield opened
    await opened.close()


async def held(database: Database, archive: str) -> list[tuple[Any, ...]]:
    """Text, source and extra of what an archive holds, in its order, and whether each has its vector."""
    async with database.transaction() as session:
        rows = await session.execute(
            text(
                """SELECT p.text, p.source, p.extra, e.embedding IS NOT NULL AS whole FROM archives a
                     JOIN passages p ON p.archive_id = a.id
                     LEFT JOIN passage_embeddings e ON e.tenant_id = p.tenant_id AND e.passage_id = p.id
                    WHERE a.name = :name AND p.superseded_at IS NULL ORDER BY p.created_at, p.id"""
            ),
            {"name": archive},
        )
        return [tuple(row) for row in rows]


def seen(shell: Shell, look: Callable[[Database], Coroutine[Any, Any, Seen]]) -> Seen:
    """What is seen in the database by a test that has no loop."""

    async def opened() -> Seen:
        async with Database.opened(Settings(home=shell.home)) as database:
            return await look(database)

    return asyncio.run(opened())


def held_now(shell: Shell, archive: str) -> list[tuple[Any, ...]]:
    """The same as ``held``, for such a test."""
    return seen(shell, lambda database: held(database, archive))


async def no_archive_is_called_none(database: Database) -> bool:
    async with database.transaction() as session:
        return (await session.execute(text("SELECT count(*) FROM archives WHERE name = 'none'"))).scalar_one() == 0


def notes(folder: Path) -> Path:
    """A folder with a bit of everything."""
    (folder / "garden").mkdir(parents=True)
    (folder / "garden" / "figs.md").write_text("# Figs\n\nFigs ripen in August.\n\n# Tools\n\nThe spade is green.\n")
    (folder / "boat.txt").write_text("The boat is called Ondine.\n")
    lines = ['{"text": "Anna\'s dentist is Dr. Quill.", "tags": ["health"]}', "nonsense", '"The boat is called ONDINE."']
    (folder / "facts.jsonl").write_text("\n".join(lines))
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x00\x00")
    return folder


def test_a_folder_goes_into_an_agents_archive_once(within: Within, tmp_path: Path) -> None:
    folder = notes(tmp_path / "notes")
    looked = within.ok("memory", "import", str(folder), "--agent", "ada", "--dry-run")
    assert looked == "3 files: 4 passages would be stored in the archive of ada (new), 1 known already, 2 refused.\n"
    assert held_now(within, "ada") == []

    done = within.run("memory", "import", str(folder), "--agent", "ada", "--tag", "notes", "--tag", "2026")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 files: 4 passages stored in the archive of ada (new), 1 known already, 2 refused (")
    assert "refused picture.png: it is of an unknown type\n" in done.stderr
    assert "refused facts.jsonl:2: it is no JSON: Expecting value at column 1\n" in done.stderr
    assert "passages" in done.stderr
    rows = held_now(within, "ada")
    assert rows == [
        ("The boat is called Ondine.", "boat.txt", {"first_line": 1, "last_line": 2}, True),
        ("Anna's dentist is Dr. Quill.", "facts.jsonl", {"line": 1}, True),
        ("# Figs\n\nFigs ripen in August.", "garden/figs.md", {"first_line": 1, "last_line": 4, "heading": "Figs"}, True),
        ("# Tools\n\nThe spade is green.", "garden/figs.md", {"first_line": 5, "last_line": 8, "heading": "Tools"}, True),
    ]

    again = within.json("memory", "import", str(folder), "--agent", "ada", "--json")
    assert (again["files"], again["pieces"], again["stored"], again["known"], again["refused"]) == (3, 5, 0, 5, 2)
    assert held_now(within, "ada") == rows
    found = within.json("memory", "search", "ada", "who looks after Anna's teeth?", "--tag", "notes", "--json")
    assert found["passages"][0]["text"] == "Anna's dentist is Dr. Quill."


def test_a_named_archive_is_made_and_an_agent_may_search_it(within: Within, tmp_path: Path) -> None:
    file = tmp_path / "tide.txt"
    file.write_text("High tide is at noon.")
    first = within.ok("memory", "import", str(file), "--archive", "sea", "--agent", "ada")
    assert first.startswith("1 file: 1 passage stored in the archive sea (new), 0 known already, 0 refused")
    again = within.ok("memory", "import", str(file), "--archive", "sea")
    assert again == "1 file: 0 passages stored in the archive sea, 1 known already, 0 refused.\n"
    assert [row[0] for row in held_now(within, "sea")] == ["High tide is at noon."]
    found = within.json("memory", "search", "ada", "when is high tide", "--json")
    assert found["passages"][0]["text"] == "High tide is at noon."


def test_strict_stores_nothing_where_anything_is_refused(within: Within, tmp_path: Path) -> None:
    done = within.run("memory", "import", str(notes(tmp_path / "notes")), "--archive", "strict", "--strict")
    assert done.returncode == 2
    assert "error[import_refused]: 2 files or lines cannot be imported" in done.stderr
    assert "facts.jsonl:2: it is no JSON" in done.stderr
    assert held_now(within, "strict") == []
    assert within.ok("memory", "import", str(tmp_path / "notes" / "boat.txt"), "--archive", "strict", "--strict")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nowhere.txt", "--agent", "ada"), "import_missing"),
        (("void", "--agent", "ada"), "nothing_to_import"),
        (("ada.yaml",), "no_archive_named"),
        (("ada.yaml", "--agent", "nobody"), "unknown_agent"),
        (("ada.yaml", "--agent", "ada", "--encoding", "klingon"), "unknown_encoding"),
        (("ada.yaml", "--agent", "ada", "--chunk-tokens", "255"), "chunk_too_long"),
    ],
)
def test_what_cannot_be_done_is_one_clear_error(within: Within, words: tuple[str, ...], code: str) -> None:
    (within.folder / "void" / ".git").mkdir(parents=True, exist_ok=True)
    done = within.run("memory", "import", *words)
    assert done.returncode == 2, done.stderr
    assert f"error[{code}]" in done.stderr
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_nothing_could_be_read_no_archive_is_made_and_the_status_says_so(within: Within, tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_bytes(b"caf\xe9")
    done = within.run("memory", "import", str(tmp_path / "old.txt"), "--archive", "none", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["refusals"][0]["where"] == "old.txt"
    assert seen(within, no_archive_is_called_none)
    assert within.ok("memory", "import", str(tmp_path / "old.txt"), "--archive", "some", "--encoding", "cp1252")
    assert [row[0] for row in held_now(within, "some")] == ["café"]


async def test_an_import_that_is_killed_ends_the_same_when_it_is_called_again(
    shell: Shell, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "facts.jsonl"
    file.write_text("\n".join(json.dumps({"text": f"fact {n}"}) for n in range(KILLED_FACTS)))
    words = ("memory", "import", str(file), "--archive")
    process = shell.start(*words, "killed")
    until = time.monotonic() + FIRST_COMMIT_SECONDS
    while not (before := await held(database, "killed")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        await asyncio.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = await held(database, "killed")
    assert 0 < len(before) < KILLED_FACTS, "it was killed in the middle"
    assert all(row[3] for row in before), "what was stored has its vectors"
    again = shell.json(*words, "killed", "--json")
    assert (again["stored"], again["known"]) == (KILLED_FACTS - len(before), len(before))
    assert await held(database, "killed") == [(f"fact {n}", "facts.jsonl", {"line": n + 1}, True) for n in range(KILLED_FACTS)]
