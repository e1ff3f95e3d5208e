from __future__ import annotations

import asyncio
import json
import math
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Slow to import, and what is compared with.
import torch
from transformers import AutoModel, AutoTokenizer

from pagemind.errors import RerankerLoading, RerankerUnreadable
from pagemind.model import weights
from pagemind.model.late import TokenVectors, coarse, late_scores
from pagemind.model.late_reranker import LateReranker
from pagemind.model.reranker import make_reranker
from pagemind.model.token_cache import TokenCache, key_of, weight
from pagemind.settings import Settings
from pagemind.testing.measure.embedding import mixed_texts

pytestmark = pytest.mark.anyio

LONG_SECONDS = 60.0
QUERY = "When is my appointment with the dentist?"
ANSWER = "On Tuesday at three I have to get my teeth checked."
ECHO = "When is it that my brother is coming with the car?"
TEXTS = [ANSWER, ECHO, "x", "🙂🙂", *mixed_texts(8)]
NEAR = 0.01
"""bf16 in the passes, and vectors in int8."""

auto_model: Any = AutoModel
auto_tokenizer: Any = AutoTokenizer


def opened(**settings: Any) -> LateReranker:
    made = make_reranker(Settings(reranker="late", reranker_device="cpu", **settings))
    assert isinstance(made, LateReranker)
    return made


async def scores_of(reranker: LateReranker, query: str, texts: Sequence[str]) -> list[float]:
    scores = await reranker.score(query, texts, deadline_seconds=LONG_SECONDS)
    assert scores is not None
    return scores


@pytest.fixture(scope="module")
async def late() -> AsyncIterator[LateReranker]:
    reranker = opened()
    await reranker.ready()
    yield reranker
    await reranker.close()


@torch.inference_mode()
def plain(query: str, texts: Sequence[str], folder: Path | None = None, prompts: tuple[str, str] = ("", "")) -> list[float]:
    """The same by transformers alone: in fp32, one text at a time, its own tokens by their place."""
    place = str(folder or weights.minilm_folder())
    tokenizer, model = auto_tokenizer.from_pretrained(place), auto_model.from_pretrained(place).eval()

    def read(prompt: str, text: str) -> tuple[list[int], torch.Tensor]:
        given = tokenizer(prompt + text, return_tensors="pt", truncation=True, max_length=256)
        before = len(tokenizer(prompt)["input_ids"]) - 1
        hidden = torch.nn.functional.normalize(model(**given).last_hidden_state[0], dim=-1)
        return given["input_ids"][0, before:-1].tolist(), hidden[before:-1]

    ids, asked = read(prompts[0], query)
    sides = [read(prompts[1], text) for text in texts]
    having = [sum(token in of for of, _ in sides) for token in ids]
    rare = torch.tensor([math.log(1 + (len(texts) - df + 0.5) / (df + 0.5)) for df in having])
    return [float((rare * (asked @ vectors.T).max(1).values).sum() / rare.sum()) for _, vectors in sides]


async def test_the_score_is_maxsim_weighed_by_rarity_as_plain_torch_computes_it(late: LateReranker) -> None:
    expected = plain(QUERY, TEXTS)
    found = await scores_of(late, QUERY, TEXTS)
    assert found == pytest.approx(expected, abs=NEAR)
    assert max(found) - min(found) > 0.2
    assert all(-1 <= score <= 1 for score in found)


async def test_an_answer_in_other_words_beats_a_text_that_shares_frequent_ones(late: LateReranker) -> None:
    beside = ["When is the next train?", "My sister is with the children.", "The weather is fine, is it not?"]
    answer, echo, *_ = await scores_of(late, QUERY, [ANSWER, ECHO, *beside])
    assert answer > echo


async def test_a_text_says_most_of_itself(late: LateReranker) -> None:
    [same, other] = await scores_of(late, ANSWER, [ANSWER, ECHO])
    assert same == pytest.approx(1.0, abs=NEAR)
    assert other < 0.8


async def test_what_the_model_wants_before_a_text_is_read_and_does_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "prefixed"
    published = weights.minilm_folder()
    assert published is not None
    shutil.copytree(published, folder)
    stated = {"prompts": {"query": "query: ", "document": "passage: "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(stated))
    reranker = opened(embedder=str(folder))
    await reranker.ready()
    expected = plain(QUERY, TEXTS[:6], folder, ("query: ", "passage: "))
    assert await scores_of(reranker, QUERY, TEXTS[:6]) == pytest.approx(expected, abs=NEAR)
    await reranker.close()


# --- what was read before ----------------------------------------------------------------------------------------------


async def test_what_is_kept_gives_the_same_scores_and_takes_no_pass() -> None:
    keeping, forgetting = opened(), opened(reranker_cache_bytes=0)
    await keeping.ready()
    await forgetting.ready()
    texts = [*mixed_texts(40), ANSWER, ANSWER]
    began = time.monotonic()
    first = await scores_of(keeping, QUERY, texts)
    cold = time.monotonic() - began
    warm: list[float] = []
    for _ in range(3):
        began = time.monotonic()
        assert await scores_of(keeping, QUERY, texts) == first
        warm.append(time.monotonic() - began)
    assert min(warm) < cold / 3
    assert await scores_of(forgetting, QUERY, texts) == pytest.approx(first, abs=NEAR)
    assert await scores_of(forgetting, QUERY, texts) == pytest.approx(first, abs=NEAR)
    await keeping.close()
    await forgetting.close()


def tokens(count: int) -> TokenVectors:
    return coarse(np.arange(count, dtype=np.int32), np.eye(count, 8, dtype=np.float32))


def test_a_full_cache_lets_go_of_what_was_used_longest_ago() -> None:
    first, second, third = (key_of(("document", text)) for text in "abc")
    cache = TokenCache(2 * weight(tokens(8)))
    cache.put(first, tokens(8))
    cache.put(second, tokens(8))
    assert cache.get(first) is not None
    cache.put(third, tokens(8))
    assert cache.get(second) is None
    assert cache.get(first) is not None
    assert cache.get(third) is not None
    cache.put(third, tokens(4))
    assert cache.size_bytes == weight(tokens(8)) + weight(tokens(4))


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache = TokenCache(weight(tokens(4)))
    cache.put(key_of(("document", "small")), tokens(4))
    cache.put(key_of(("document", "large")), tokens(5))
    assert len(cache) == 1
    assert cache.get(key_of(("document", "large"))) is None


def test_a_query_and_a_document_of_the_same_words_are_kept_apart() -> None:
    assert key_of(("query", "x")) != key_of(("document", "x")) == key_of(("document", "x")) != key_of(("document", "y"))


def test_token_vectors_in_int8_keep_their_cosines() -> None:
    chance = np.random.default_rng(0)
    vectors = chance.standard_normal((50, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kept = coarse(np.arange(50, dtype=np.int32), vectors)
    assert np.abs(kept.floats @ vectors.T - vectors @ vectors.T).max() < 0.005
    assert kept.size_bytes == 50 * (384 + 4 + 4)


# --- odd texts ---------------------------------------------------------------------------------------------------------


async def test_odd_texts_get_a_score_and_those_without_a_token_get_none_of_it(late: LateReranker) -> None:
    texts = ["", "\x00", " \n\t", "\ud800 half", "word " * 200_000, "x" * 1_000_000, "[CLS] [SEP] [MASK]", ANSWER]
    scores = await scores_of(late, QUERY, texts)
    assert scores[:3] == [0.0, 0.0, 0.0]
    assert all(-1 <= score <= 1 for score in scores)
    assert max(scores) == scores[-1]
    assert await scores_of(late, "\x00", [ANSWER, ""]) == [0.0, 0.0]
    assert await scores_of(late, "word " * 200_000, [ANSWER, ECHO]) != [0.0, 0.0]
    assert await scores_of(late, QUERY, []) == []


def test_nothing_to_compare_with_is_nothing() -> None:
    assert late_scores(tokens(0), [tokens(2), tokens(0)]) == [0.0, 0.0]
    assert late_scores(tokens(2), [tokens(2), tokens(0)]) == pytest.approx([1.0, 0.0])
    assert late_scores(tokens(2), []) == []


def test_a_rare_token_weighs_more_than_one_that_all_have() -> None:
    texts = [tokens(1), tokens(1), tokens(2)]
    assert late_scores(tokens(2), texts) == pytest.approx([w := math.log(8 / 7) / (math.log(8 / 7) + math.log(8 / 3)), w, 1.0])


async def test_many_at_once_each_get_their_own() -> None:
    reranker = opened(reranker_cache_bytes=0)
    await reranker.ready()
    alone = [await scores_of(reranker, query, TEXTS) for query in TEXTS[:5]]
    together = await asyncio.gather(*(scores_of(reranker, query, TEXTS) for query in TEXTS[:5]))
    for one, other in zip(alone, together, strict=True):
        assert other == pytest.approx(one, abs=NEAR)
    await reranker.close()


# --- the deadline, and what cannot be read -----------------------------------------------------------------------------


async def test_what_is_late_is_dropped_but_what_was_read_by_then_is_known_the_next_time() -> None:
    reranker = opened()
    await reranker.ready()
    many = [f"{number} {text * 20}" for number, text in enumerate(mixed_texts(8))]
    late = 0
    while (scores := await reranker.score(QUERY, many, deadline_seconds=0.02)) is None:
        late += 1
        assert late < 1000
        await asyncio.sleep(0.05)
    assert late >= 1
    assert len(scores) == len(many)
    await reranker.close()


async def test_a_search_does_not_wait_while_it_loads() -> None:
    reranker = opened()
    with pytest.raises(RerankerLoading):
        await reranker.score(QUERY, ["x"], deadline_seconds=LONG_SECONDS)
    await reranker.ready()
    assert await reranker.score(QUERY, ["x"], deadline_seconds=LONG_SECONDS) is not None
    await reranker.close()


def test_an_embedder_that_is_served_elsewhere_cannot_be_read() -> None:
    with pytest.raises(RerankerUnreadable, match="text-embedding-3-small: it is served elsewhere") as caught:
        opened(embedder="openai:text-embedding-3-small")
    assert "PAGEMIND_RERANKER" in caught.value.fix


async def test_an_embedder_that_does_not_load_is_one_clear_error(tmp_path: Path) -> None:
    reranker = opened(embedder=str(tmp_path))
    with pytest.raises(RerankerUnreadable, match="No such file"):
        await reranker.ready()
    with pytest.raises(RerankerUnreadable):
        await reranker.score(QUERY, ["x"], deadline_seconds=LONG_SECONDS)
    await reranker.close()


def test_it_is_off_unless_asked_for_and_declares_how_it_is_mixed() -> None:
    assert make_reranker(Settings()) is None
    assert opened().weight == 3.0
    assert opened().name == "late (all-MiniLM-L6-v2)"
    assert opened(reranker_deadline_ms=70).deadline_seconds == 0.07
