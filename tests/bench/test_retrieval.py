"""The bench of retrieval, in its bounded form, on a conversation of our own; and the parts that its figures are made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pagemind.store.inserts import packed
from pagemind.testing.measure.retrieval import archives, cached
from pagemind.testing.measure.retrieval.baselines import NAMES, Words, rankings
from pagemind.testing.measure.retrieval.intervals import Bootstrap
from pagemind.testing.measure.retrieval.sentences import notes
from pagemind.testing.measure.retrieval.synthetic import synthetic_rows
from pagemind.testing.measure.retrieval.talks import moment, talks_in
from pagemind.testing.shell import Shell
from pagemind.testing.vectors import HashEmbedder

SPEAKERS = ("Ilse", "Tomas")
SAID = (
    ("What are you up to this spring?", "I have signed up for a beekeeping course that begins in April."),
    ("Did you find anything in the attic?", "My grandfather left me his old violin, and I keep it under the bed."),
    ("Who is that barking?", "We adopted a three-legged greyhound and called her Saffron."),
    ("How was the lake?", "Freezing, and somebody had stolen both of my oars."),
)
MOST_SECONDS = 420.0
"""A minute where nothing else goes on."""
FILLER = "The tram was late again, so I walked the last part along canal number"
ASKED = (
    {"question": "Who signed up for a beekeeping course?", "answer": "Tomas", "evidence": ["D1:2"], "category": 4},
    {"question": "What was the greyhound called?", "answer": "Saffron", "evidence": ["D1:6"], "category": 1},
    {"question": "Where is grandfather's violin kept?", "answer": "under the bed", "evidence": ["D1:4"], "category": 4},
    {"question": "What was stolen at the lake?", "answer": "oars", "evidence": ["D2:2", "D9:9"], "category": 1},
    {"question": "Who plays chess?", "answer": "nobody", "evidence": ["D1:1"], "category": 5},
)


def turns(session: int, texts: list[str]) -> list[dict[str, str]]:
    """The texts as a session's turns."""
    return [{"speaker": SPEAKERS[at % 2], "dia_id": f"D{session}:{at + 1}", "text": text} for at, text in enumerate(texts)]


def folder_of_talks(folder: Path) -> Path:
    """A folder with one conversation of two sessions."""
    talks = folder / "talks"
    talks.mkdir()
    filler = [f"{FILLER} {number}." for number in range(40)]
    talk = {
        "session_1_date_time": "10:00 am on 3 February, 2024",
        "session_1": turns(1, [text for pair in SAID[:3] for text in pair] + filler),
        "session_2_date_time": "6:30 pm on 9 March, 2024",
        "session_2": turns(2, list(SAID[3]) + filler),
        "qa": ASKED,
    }
    (talks / "ours.json").write_text(json.dumps(talk))
    (talks / "README.md").write_text("Not a conversation.")
    return talks


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, Path]:
    """The figures of the bounded bench, run as a person runs it, what it showed, and its home folder."""
    folder = tmp_path_factory.mktemp("bench-retrieval")
    path, home = folder / "figures.json", folder / "home"
    words = ("bench-retrieval", "--quick", "--data", str(folder_of_talks(folder)), "--figures", str(path))
    process = Shell(home, folder).start(*words)
    shown, told = process.communicate(timeout=MOST_SECONDS)
    assert process.returncode == 0, told.decode()
    assert "measuring" in told.decode()
    return json.loads(path.read_text()), shown.decode(), home


def test_recall_is_told_at_each_depth_with_intervals_and_by_category(ran: tuple[dict[str, Any], str, Path]) -> None:
    locomo = ran[0]["locomo"]
    assert locomo["n"] == 4
    assert 0 < locomo["recall@5"] <= locomo["recall@10"] <= locomo["recall@20"] <= 1
    for depth in ("recall@5", "recall@10", "recall@20"):
        low, high = locomo["interval"][depth]
        assert 0 <= low <= locomo[depth] <= high <= 1
    assert {number: each["n"] for number, each in locomo["by_category"].items()} == {"1": 2, "4": 2}
    assert locomo["by_conversation"]["ours"]["n"] == 4
    assert "Evidence recall" in ran[1]


def test_the_runtimes_search_finds_what_is_obvious_and_no_baseline_finds_more(ran: tuple[dict[str, Any], str, Path]) -> None:
    locomo = ran[0]["locomo"]
    assert locomo["recall@5"] == 1.0
    assert list(locomo["baselines"]) == list(NAMES)
    assert all(each["recall@10"] <= locomo["recall@10"] for each in locomo["baselines"].values())
    assert locomo["multi_hop_gain@10"]["value"] >= 1


def test_searches_are_timed_in_every_archive_with_the_share_of_the_embedding(ran: tuple[dict[str, Any], str, Path]) -> None:
    searches = ran[0]["searches"]
    assert [(each["archives"], each["passages"]) for each in searches] == [(1, 1_000), (1, 5_000), (20, 10)]
    for each in searches:
        assert 0 < each["p50_ms"] <= each["p95_ms"]
        assert each["embedding_share"] > 0
        assert each["hits"] > 0


def test_the_nearest_are_compared_with_the_exact_ones_under_every_filter(ran: tuple[dict[str, Any], str, Path]) -> None:
    nearest = ran[0]["nearest"]
    assert [each["share"] for each in nearest] == [1.0, 0.1, 0.01, 0.001]
    assert nearest[0]["left"] == nearest[0]["passages"] == 1_000
    assert nearest[1]["left"] > nearest[2]["left"]
    assert all(each["recall"] >= 0.98 for each in nearest)


def test_bulk_inserts_and_the_size_of_passages_are_measured(ran: tuple[dict[str, Any], str, Path]) -> None:
    loading = ran[0]["loading"]
    assert loading["texts"] == 256
    assert loading["ratio"] > 0
    [real, synthetic, many] = ran[0]["per_passage"].values()
    assert (real["passages"], synthetic["passages"], many["passages"]) == (1_000, 5_000, 200)
    for each in (real, synthetic):
        assert each["disk"]["passage_embeddings rows"] > 384 * 2
        assert 1_000 < each["disk_bytes"] < 20_000


def test_vectors_are_kept_for_the_next_run_and_nothing_else(ran: tuple[dict[str, Any], str, Path]) -> None:
    kept = [path for path in ran[2].rglob("*") if path.is_file() and path.parent.name != "logs"]
    assert [path.suffix for path in kept] == [".npy"]
    assert np.load(kept[0], allow_pickle=False).shape == (1_000, 384)


def test_a_folder_without_conversations_is_skipped_aloud(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    words = ("bench-retrieval", "--quick", "--only", "recall", "--data", str(tmp_path / "nowhere"), "--figures", str(figures))
    shown = Shell(tmp_path / "home", tmp_path).ok(*words)
    assert "SKIPPED: locomo" in shown
    assert json.loads(figures.read_text())["locomo"] is None


@pytest.mark.parametrize("sizes", ["many", "1000,", "0", "1000,99999999999"])
def test_sizes_that_are_none_are_refused(sizes: str, tmp_path: Path) -> None:
    done = Shell(tmp_path / "home", tmp_path).run("bench-retrieval", "--sizes", sizes)
    assert done.returncode == 2
    assert "--sizes 1000,100000" in done.stderr


def test_a_file_that_is_no_conversation_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"session_1": 7}')
    done = Shell(tmp_path / "home", tmp_path).run("bench-retrieval", "--only", "recall", "--data", str(tmp_path))
    assert done.returncode == 2
    assert "other.json" in done.stderr


def test_an_interval_narrows_with_the_questions_and_a_difference_is_paired() -> None:
    chance = np.random.default_rng(1)
    few, many = chance.random(40), chance.random(4_000)
    narrow, wide = Bootstrap([0] * 4_000, draws=200).mean(many), Bootstrap([0] * 40, draws=200).mean(few)
    assert narrow.high - narrow.low < wide.high - wide.low
    assert wide.low < few.mean() < wide.high
    shifted = Bootstrap([0] * 40, draws=200).mean((few + 0.1) - few)
    assert shifted.low == pytest.approx(shifted.high) == pytest.approx(0.1)


def test_conversations_that_differ_widen_the_interval_more_than_their_questions_do() -> None:
    values = np.array([0.0] * 50 + [1.0] * 50)
    apart, together = Bootstrap([0] * 50 + [1] * 50).mean(values), Bootstrap([0] * 100).mean(values)
    assert (apart.low, apart.high) == (0.0, 1.0)
    assert together.low > 0.35
    assert Bootstrap([0] * 100).ratio(values, values).low == 1.0


def test_the_baselines_rank_by_rare_words_and_by_cosine() -> None:
    words = Words(["the boat is red", "the car is red", "the boat is called Petra", ""])
    scores = words.scores("What is the name PETRA?")
    assert scores.argmax() == 2
    assert scores[3] == 0
    ranked = rankings(scores, np.array([0.1, 0.6, 0.5, 0.0]), 2)
    assert (ranked["vectors only"][0], ranked["BM25 only"][0], ranked["score sum"][0]) == (1, 2, 2)
    assert set(ranked["RRF"]) == {1, 2}


def test_generated_notes_are_many_different_and_the_same_for_a_seed() -> None:
    made = list(notes(3_000, 7))
    assert len({note.text for note in made}) == 3_000
    assert [note.text for note in notes(50, 7)] == [note.text for note in made[:50]]
    assert [note.text for note in notes(50, 8)] != [note.text for note in made[:50]]
    assert not any("{" in note.text + note.question for note in made)


def test_synthetic_vectors_are_units_around_their_centres() -> None:
    centres = np.eye(4, 64, dtype=np.float16)
    [first, second] = synthetic_rows(1_500, centres, ["the", "boat"], 0, 1_000)
    assert (len(first.texts), len(second.texts)) == (1_000, 500)
    vectors = first.vectors.astype(np.float32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=2e-3)
    assert np.median((vectors @ centres.T.astype(np.float32)).max(axis=1)) == pytest.approx(0.86, abs=0.03)
    assert sum("the" in text.split() for text in first.texts) > sum("boat" in text.split() for text in first.texts)


def cut_off(folder: Path) -> None:
    """Leave the beginning of the folder's one file of vectors."""
    [path] = folder.glob("*.npy")
    path.write_bytes(path.read_bytes()[:100])


def test_halves_are_packed_as_the_store_packs_vectors() -> None:
    vectors = np.random.default_rng(3).standard_normal((5, 16)).astype(np.float16)
    assert archives.packed_rows(vectors) == [packed(row) for row in vectors.tolist()]


@pytest.mark.anyio
async def test_kept_vectors_are_read_again_and_a_broken_file_is_made_anew(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(7)]
    told: list[str] = []
    first = await cached.vectors_of(HashEmbedder(), texts, tmp_path, told.append)
    assert (await cached.vectors_of(HashEmbedder(), texts, tmp_path, told.append) == first).all()
    assert len(told) == 1
    cut_off(tmp_path)
    assert (await cached.vectors_of(HashEmbedder(), texts, tmp_path, told.append) == first).all()
    assert len(told) == 2


def test_turns_have_the_time_of_their_session_and_bad_evidence_is_left_out(tmp_path: Path) -> None:
    [talk] = talks_in(folder_of_talks(tmp_path))
    assert [question.evidence for question in talk.questions][3] == ("D2:2",)
    assert len(talk.questions) == 4
    assert f"{moment(talk.talk.sessions[1].when):%Y-%m-%d %H:%M %Z}" == "2024-03-09 18:30 UTC"
    assert talks_in(tmp_path / "nowhere") == []
