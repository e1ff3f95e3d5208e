"""What was said is found again: by place, by words, by meaning."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from pagemind.engine.laying import queue_all
from pagemind.errors import StoreConflict
from pagemind.memory.ranking import Asked, ranked
from pagemind.records import Filters, Message, MessageHit, Role, Run, now
from pagemind.store import conversations, embedding_models, embeddings, history, messages, vector_walks
from pagemind.store.database import Database

pytestmark = pytest.mark.anyio

MODEL = "two"


async def search(database: Database, run: Run, query: str, **narrow: object) -> list[MessageHit]:
    async with database.transaction() as session:
        found = await messages.candidates(session, run.conversation_id, query=query, **narrow)  # pyright: ignore[reportArgumentType]
    return list(ranked(found, Asked(query, now())))


def places(hits: list[MessageHit]) -> list[int]:
    return [hit.seq for hit in hits]


async def test_the_history_is_read_forwards_and_backwards(database: Database, run: Run, talk: list[Message]) -> None:
    async with database.transaction() as session:
        thread = run.conversation_id
        assert [m.seq for m in await messages.history(session, thread)] == [1, 2, 3, 4, 5]
        assert [m.seq for m in await messages.history(session, thread, after_seq=1, before_seq=4)] == [2, 3]
        assert [m.seq for m in await messages.history(session, thread, limit=2, newest_first=True)] == [5, 4]
        assert await messages.count(session, thread) == 5


@pytest.mark.usefixtures("talk")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("dancing", [3]),
        ("PORTO!", [3]),
        ("Zug münchen", [4]),
        ("What is the meaning of it all?", []),
        ("the of and", []),
        ("", [4, 3, 2, 1]),
        ("'; DROP TABLE messages; --", []),
        (r"a\b ' & | ! <-> :* (", []),
    ],
)
async def test_messages_are_found_by_words(database: Database, run: Run, query: str, expected: list[int]) -> None:
    assert places(await search(database, run, query)) == expected


@pytest.mark.usefixtures("talk")
async def test_a_rare_word_outweighs_a_common_one(database: Database, run: Run) -> None:
    hits = await search(database, run, "dentist appointment")
    assert places(hits) == [1, 2]
    assert hits[0].scores["words"] > hits[1].scores["words"]
    assert (hits[0].scores["words_rank"], hits[1].scores["words_rank"]) == (1, 2)


@pytest.mark.usefixtures("talk")
async def test_roles_and_times_narrow_the_search(database: Database, run: Run) -> None:
    assert places(await search(database, run, "dentist", filters=Filters(roles=("assistant",)))) == [2]
    assert places(await search(database, run, "dentist", filters=Filters(roles=("tool",)))) == [5]
    assert places(await search(database, run, "dentist", filters=Filters(after=now() + timedelta(hours=1)))) == []
    assert places(
        await search(database, run, "dentist", filters=Filters(before=now() + timedelta(hours=1), roles=("user",)))
    ) == [1]


@pytest.mark.usefixtures("talk")
@pytest.mark.parametrize(
    ("query", "expected"), [("#3", [3]), ("#2-#4", [2, 3, 4]), (" #4 - 2 ", [2, 3, 4]), ("#9", []), ("#3 Porto", [3])]
)
async def test_messages_are_looked_up_by_place(database: Database, run: Run, query: str, expected: list[int]) -> None:
    assert places(await search(database, run, query)) == expected


async def test_messages_are_found_by_meaning(database: Database, run: Run, talk: list[Message]) -> None:
    vectors = {talk[0].id: [1.0, 0.0], talk[2].id: [0.0, 1.0]}
    async with database.transaction() as session:
        await embeddings.put(session, MODEL, "message", vectors)
    hits = await search(database, run, "teeth", vector=[0.6, 0.8], model=MODEL)
    assert [(hit.seq, round(hit.scores["vector"], 2)) for hit in hits] == [(3, 0.8), (1, 0.6)]
    # Its own 1, and a fifth of what the first says, which stands two before it.
    assert hits[0].score == pytest.approx(1 + 0.2 * 0.75, abs=1e-3)


async def test_a_hit_says_whether_it_stands_in_the_window(database: Database, run: Run, talk: list[Message]) -> None:
    async with database.transaction() as session:
        await conversations.change(session, run.conversation_id, resident_from=2)
    assert {hit.seq: hit.resident for hit in await search(database, run, "dentist")} == {1: False, 2: True}


async def test_only_what_was_said_in_words_lacks_a_vector(
    database: Database, talk: list[Message], say: Callable[..., Message]
) -> None:
    async with database.transaction() as session:
        await embedding_models.bind(session, database.tenant_id, MODEL, 2)
    await queue_all(database, MODEL)
    async with database.transaction() as session:
        await history.add(session, [say(6, "", "assistant"), say(None, "not yet in the history")])
        missing = await embeddings.due(session, MODEL)
        assert {text.text for text in missing} == {talk[n].content for n in range(4)} | {"not yet in the history"}
        assert len(await embeddings.due(session, MODEL, limit=3)) == 3
        await embeddings.put(session, MODEL, "message", {text.id: [1.0, 0.0] for text in missing})
        assert await embeddings.due(session, MODEL) == []
        assert await vector_walks.count_lacking(session, MODEL) == 0
        assert await embeddings.due(session, "another model") == []


async def test_a_waiting_message_is_not_found(database: Database, run: Run, say: Callable[..., Message]) -> None:
    async with database.transaction() as session:
        await history.add(session, [say(None, "a zebra")])
    assert await search(database, run, "zebra") == []


async def test_two_messages_cannot_have_one_place(database: Database, talk: list[Message], say: Callable[..., Message]) -> None:
    with pytest.raises(StoreConflict):
        async with database.transaction() as session:
            await history.add(session, [say(3, "again")])


@pytest.mark.parametrize("text", ["😀" * 200_000, "word " * 200_000, "ä" * 1_000_000, " ".join(map(str, range(150_000)))])
async def test_a_very_long_message_is_stored_whole(
    database: Database, run: Run, say: Callable[..., Message], text: str
) -> None:
    async with database.transaction() as session:
        await history.add(session, [say(1, text)])
    async with database.transaction() as session:
        (kept,) = await messages.history(session, run.conversation_id)
    assert kept.content == text


async def test_what_stands_beside_a_hit_comes_with_it_and_scores_as_if_it_had_been_found(
    database: Database, run: Run, talk: list[Message]
) -> None:
    vectors = {message.id: [1.0 / number, 1 - 1.0 / number] for number, message in enumerate(talk, start=1)}
    async with database.transaction() as session:
        await embeddings.put(session, MODEL, "message", vectors)
        asked = {"query": "Porto dancing tomorrow", "vector": [0.6, 0.8], "model": MODEL}
        everything = await messages.candidates(session, run.conversation_id, **asked)  # pyright: ignore[reportArgumentType]
        few = await messages.candidates(session, run.conversation_id, **asked, pool=1)  # pyright: ignore[reportArgumentType]
    scores = {hit.id: {name: round(value, 6) for name, value in hit.scores.items()} for hit in everything}
    assert len(few) > 2
    assert {hit.id: {name: round(value, 6) for name, value in hit.scores.items()} for hit in few} == {
        hit.id: scores[hit.id] for hit in few
    }
    spoken = [message.id for message in talk if message.role in (Role.user, Role.assistant) and message.content]
    for hit in everything:
        at = spoken.index(hit.id)
        assert hit.around == {offset: spoken[at + offset] for offset in (-3, -2, -1, 1, 2, 3) if 0 <= at + offset < len(spoken)}
