"""Passages come in bulk: each once, with its vector, whatever dies or comes at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text as sql

from pagemind.engine import bulk
from pagemind.engine.archival import Draft
from pagemind.engine.bulk import Imported, Progress, import_passages, look_over
from pagemind.engine.kernel import Kernel
from pagemind.errors import EmbedderError, EmptyPassage, PassageTooLong, UnknownRecord
from pagemind.model.embedder import Kind
from pagemind.records import Archive, Filters, Json, Origin
from pagemind.settings import Settings
from pagemind.store import archives, embeddings, passages
from pagemind.store.passages import Within
from pagemind.testing import Bench, bench
from pagemind.testing.vectors import HashEmbedder, WordEmbedder

pytestmark = pytest.mark.anyio

WINDOW = 64


class Refusing(HashEmbedder):
    """An embedder that cannot read one word, and a server that may be down."""

    down = False

    async def embed(self, texts: Sequence[str], *, kind: Kind) -> list[list[float]]:
        if self.down or any("unspeakable" in each for each in texts):
            raise EmbedderError("no vector for that")
        return await super().embed(texts, kind=kind)


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports of some hundred passages go through several windows."""
    monkeypatch.setattr(bulk, "WINDOW", WINDOW)


@pytest.fixture
async def lab(settings: Settings) -> AsyncGenerator[Bench]:
    """A runtime that only looks: nobody indexes behind the import's back."""
    async with bench(settings, embedder=WordEmbedder(), work=False) as opened:
        yield opened


async def new_archive(kernel: Kernel) -> UUID:
    async with kernel.database.transaction() as session:
        return (await archives.add(session, Archive(tenant_id=kernel.database.tenant_id, name="shelf"))).id


def facts(count: int, first: int = 0) -> Iterator[Draft]:
    """So many different facts."""
    for number in range(first, first + count):
        yield Draft(f"Fact {number}: the boat has {number} sails.", tags=("boats",), extra={"line": number}, source="boats.txt")


async def stored(kernel: Kernel, archive_id: UUID) -> list[Json]:
    """The passages in force of an archive in their order, with the length of their vectors."""
    async with kernel.database.transaction() as session:
        rows = await session.execute(
            sql(
                """SELECT p.text, p.tags, p.source, p.origin, p.extra, p.created_at, vector_dims(e.embedding) AS dims
                     FROM passages p LEFT JOIN passage_embeddings e
                       ON e.tenant_id = p.tenant_id AND e.passage_id = p.id AND e.archive_id = p.archive_id
                    WHERE p.archive_id = :archive AND p.superseded_at IS NULL ORDER BY p.created_at, p.id"""
            ),
            {"archive": archive_id},
        )
        return [dict(row) for row in rows.mappings()]


async def test_what_is_imported_has_its_vector_its_source_and_its_order(lab: Bench) -> None:
    kernel = lab.runtime.kernel
    archive_id = await new_archive(kernel)
    drafts = [Draft(d.text, d.tags, extra=d.extra, source=d.source, origin=Origin.imported) for d in facts(150)]
    done = await import_passages(kernel, archive_id, drafts)
    assert (done.stored, done.known) == (150, 0)
    rows = await stored(kernel, archive_id)
    assert [row["text"] for row in rows] == [draft.text for draft in drafts]
    assert {(tuple(row["tags"]), row["source"], row["origin"], row["dims"]) for row in rows} == {
        (("boats",), "boats.txt", "imported", 128)
    }
    assert [row["extra"] for row in rows] == [{"line": number} for number in range(150)]
    assert all(before["created_at"] < after["created_at"] for before, after in pairwise(rows))
    async with kernel.database.transaction() as session:
        assert await embeddings.due(session, kernel.embedder.name) == []


async def test_the_same_import_again_stores_nothing(lab: Bench) -> None:
    kernel = lab.runtime.kernel
    archive_id = await new_archive(kernel)
    await import_passages(kernel, archive_id, facts(100))
    again = await import_passages(kernel, archive_id, facts(130))
    assert (again.stored, again.known) == (30, 100)
    assert len(await stored(kernel, archive_id)) == 130


async def test_a_text_that_differs_in_case_and_spaces_only_is_known_within_one_import_too(lab: Bench) -> None:
    kernel = lab.runtime.kernel
    archive_id = await new_archive(kernel)
    # Once in the same window, once in the next one, once far behind.
    said = [Draft("The spade is green."), Draft("  the SPADE\tis\n green. "), *facts(70), Draft("THE SPADE IS GREEN.")]
    done = await import_passages(kernel, archive_id, [*said, *facts(300, 1000), Draft("The  spade is green.")])
    assert (done.stored, done.known) == (371, 3)
    assert Counter(row["text"] for row in await stored(kernel, archive_id))["The spade is green."] == 1


async def test_two_imports_at_once_store_each_text_once(lab: Bench) -> None:
    kernel = lab.runtime.kernel
    archive_id = await new_archive(kernel)
    both = await asyncio.gather(*(import_passages(kernel, archive_id, facts(300)) for _ in range(2)))
    assert sum(done.stored for done in both) == 300
    assert sum(done.known for done in both) == 300
    assert len(await stored(kernel, archive_id)) == 300


async def test_an_import_that_breaks_off_goes_on_where_it_was(lab: Bench) -> None:
    kernel = lab.runtime.kernel
    archive_id = await new_archive(kernel)

    def broken() -> Iterator[Draft]:
        yield from facts(250)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await import_passages(kernel, archive_id, broken())
    rows = await stored(kernel, archive_id)
    assert 0 < len(rows) < 250
    assert len(rows) % WINDOW == 0
    assert all(row["dims"] == 128 for row in rows)
    done = await import_passages(kernel, archive_id, facts(250))
    assert (done.stored, done.known) == (250 - len(rows), len(rows))


async def test_a_passage_that_is_no_longer_in_force_is_stored_again(lab: Bench) -> None:
    kernel = lab.runtime.kernel
    archive_id = await new_archive(kernel)
    await import_passages(kernel, archive_id, facts(2))
    async with kernel.database.transaction() as session:
        [first, second] = await passages.newest(session, archive_id, Within.archive, filters=Filters(), limit=2)
        await passages.remove(session, first.id, archive_id=archive_id)
        await session.execute(
            sql("UPDATE passages SET expires_at = now() - interval '1 day' WHERE id = :id"), {"id": second.id}
        )
    assert (await import_passages(kernel, archive_id, facts(2))).stored == 2


async def test_a_text_that_the_embedder_refuses_is_stored_and_waits_for_its_vector(settings: Settings) -> None:
    async with bench(settings, embedder=Refusing(), work=False) as lab:
        kernel = lab.runtime.kernel
        archive_id = await new_archive(kernel)
        done = await import_passages(kernel, archive_id, [*facts(20), Draft("An unspeakable name."), *facts(20, 50)])
        assert done.stored == 41
        assert [row["text"] for row in await stored(kernel, archive_id) if row["dims"] is None] == ["An unspeakable name."]
        async with kernel.database.transaction() as session:
            assert [each.text for each in await embeddings.due(session, kernel.embedder.name)] == ["An unspeakable name."]


async def test_an_embedder_that_is_down_ends_the_import_with_its_error(settings: Settings) -> None:
    embedder = Refusing()
    embedder.down = True
    async with bench(settings, embedder=embedder, work=False) as lab:
        archive_id = await new_archive(lab.runtime.kernel)
        with pytest.raises(EmbedderError):
            await import_passages(lab.runtime.kernel, archive_id, facts(200))
        assert await stored(lab.runtime.kernel, archive_id) == []


async def test_nothing_goes_into_an_archive_that_is_not_there_or_is_anothers(lab: Bench) -> None:
    kernel = lab.runtime.kernel
    archive_id = await new_archive(kernel)
    await import_passages(kernel, archive_id, facts(5))
    with pytest.raises(UnknownRecord):
        await import_passages(kernel, uuid4(), facts(1))
    others = lab.runtime.settings.model_copy(update={"tenant_id": uuid4()})
    async with bench(others, embedder=WordEmbedder(), work=False) as stranger:
        with pytest.raises(UnknownRecord):
            await import_passages(stranger.runtime.kernel, archive_id, facts(1))
        theirs = await new_archive(stranger.runtime.kernel)
        # What another tenant knows does not show.
        assert (await import_passages(stranger.runtime.kernel, theirs, facts(5))).stored == 5


async def test_empty_and_overlong_passages_are_refused(lab: Bench) -> None:
    kernel = lab.runtime.kernel
    archive_id = await new_archive(kernel)
    with pytest.raises(EmptyPassage):
        await import_passages(kernel, archive_id, [Draft(" \x00\n ")])
    with pytest.raises(PassageTooLong):
        await import_passages(kernel, archive_id, [Draft("x" * (kernel.settings.message_limit_chars + 1))])
    strange = [Draft("It\x00s \ud800 here.", tags=("q\"uo,t'e", "{}", "q\"uo,t'e", ""), extra={"a": [None, {"b": "\u20ac"}]})]
    assert (await import_passages(kernel, archive_id, strange)).stored == 1
    [row] = await stored(kernel, archive_id)
    assert (row["text"], row["tags"], row["extra"]) == ("Its \ufffd here.", ["q\"uo,t'e", "{}", ""], {"a": [None, {"b": "€"}]})


async def test_what_is_told_never_goes_back_and_ends_at_the_whole(lab: Bench) -> None:
    kernel = lab.runtime.kernel
    archive_id = await new_archive(kernel)
    await import_passages(kernel, archive_id, facts(30))
    heard: list[tuple[int, int, int]] = []

    def told(progress: Progress) -> None:
        heard.append((progress.read, progress.stored, progress.known))

    await import_passages(kernel, archive_id, facts(300), told)
    assert all(all(a <= b for a, b in zip(before, after, strict=True)) for before, after in pairwise(heard))
    assert heard[-1] == (300, 270, 30)


async def test_no_more_is_read_than_a_few_windows_ahead_of_what_is_stored(lab: Bench) -> None:
    kernel = lab.runtime.kernel
    archive_id = await new_archive(kernel)
    pulled = 0

    def counted() -> Iterator[Draft]:
        nonlocal pulled
        for draft in facts(1_500):
            pulled += 1
            yield draft

    ahead: list[int] = []
    await import_passages(kernel, archive_id, counted(), lambda progress: ahead.append(pulled - progress.done))
    assert pulled == 1_500
    assert max(ahead) <= 4 * WINDOW


async def test_looking_over_an_import_counts_the_same_and_stores_nothing(lab: Bench) -> None:
    kernel = lab.runtime.kernel
    archive_id = await new_archive(kernel)
    await import_passages(kernel, archive_id, facts(40))
    drafts = [*facts(200), *facts(10, 190)]
    looked = await look_over(kernel, archive_id, drafts)
    assert (looked.stored, looked.known) == (160, 50)
    assert len(await stored(kernel, archive_id)) == 40
    done: Imported = await import_passages(kernel, archive_id, drafts)
    assert (done.stored, done.known) == (looked.stored, looked.known)
    assert (await look_over(kernel, None, facts(3))).stored == 3


async def test_an_archive_takes_single_passages_while_an_import_stores(lab: Bench) -> None:
    kernel = lab.runtime.kernel
    agent = lab.agent
    async with kernel.database.transaction() as session:
        archive_id = (await archives.archive_of(session, agent)).id
    async with kernel.database.transaction() as session:
        await archives.hold(session, archive_id)
        async with asyncio.timeout(5):
            await lab.memory.insert(agent, "The kettle is on.")
    assert [row["text"] for row in await stored(kernel, archive_id)] == ["The kettle is on."]
