from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

# Slow to import, and nearly every test here compares with them.
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from pagemind.errors import RerankerError, RerankerLoading, RerankerRefused, RerankerUnfit
from pagemind.model.reranker import Reranker, make_reranker
from pagemind.model.scorers import load
from pagemind.model.yes_no import longest_first
from pagemind.settings import Settings
from pagemind.testing.measure.embedding import mixed_texts
from pagemind.testing.openai_server import OpenAIServer, Request, Write, answers

from .tiny_rerankers import save_bert, save_qwen3, save_xlm_roberta

pytestmark = pytest.mark.anyio

QUERY = "When is the dentist?"
TEXTS = ["The dentist is on Tuesday at three.", "", "x", "\x00", "\ud800 half", "🙂🙂", *mixed_texts(12), "word " * 5000]
LONG_SECONDS = 60.0
PROMPT = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
    "<Instruct>: Given a web search query, retrieve relevant passages that answer the query\n"
    "<Query>: {query}\n<Document>: {text}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
)

causal: Any = AutoModelForCausalLM
classifier: Any = AutoModelForSequenceClassification
tokenizers: Any = AutoTokenizer


def opened(folder: Path | str, **settings: Any) -> Reranker:
    reranker = make_reranker(Settings(reranker=str(folder), reranker_device="cpu", **settings))
    assert reranker is not None
    return reranker


async def scores_of(folder: Path, query: str, texts: list[str], **settings: Any) -> list[float]:
    reranker = opened(folder, **settings)
    try:
        await reranker.ready()
        scores = await reranker.score(query, texts, deadline_seconds=LONG_SECONDS)
    finally:
        await reranker.close()
    assert scores is not None
    return scores


def sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def joined(tokenizer: Any, query: str, text: str, longest: int) -> dict[str, Any]:
    cut = {"truncation": "longest_first", "max_length": longest}
    # XLM-RoBERTa's are all of one type, as the tokenizer says, too. A pair in a list stays one where the text is empty.
    return tokenizer([[query, text]], return_tensors="pt", return_token_type_ids=True, **cut)


@pytest.mark.parametrize(("save", "longest"), [(save_bert, 128), (save_xlm_roberta, 64)])
async def test_a_cross_encoder_scores_each_pair_as_transformers_does_alone(
    save: Callable[[Path], Path], longest: int, tmp_path: Path
) -> None:
    folder = save(tmp_path)
    model, tokenizer = classifier.from_pretrained(folder), tokenizers.from_pretrained(folder)
    expected: list[float] = []
    for text in TEXTS:
        given = joined(tokenizer, QUERY, sound(text), longest)
        with torch.inference_mode():
            expected.append(model(**given).logits[0, 0].sigmoid().item())
    assert await scores_of(folder, QUERY, TEXTS) == pytest.approx(expected, abs=1e-4)
    assert max(expected) - min(expected) > 0.1


async def test_a_long_query_is_cut_too(tmp_path: Path) -> None:
    folder, query, text = save_bert(tmp_path), "where is it " * 100, "word " * 400
    model, tokenizer = classifier.from_pretrained(folder), tokenizers.from_pretrained(folder)
    given = joined(tokenizer, query, text, 128)
    assert len(given["input_ids"][0]) == 128
    with torch.inference_mode():
        expected = model(**given).logits[0, 0].sigmoid().item()
    assert await scores_of(folder, query, [text]) == pytest.approx([expected], abs=1e-4)


@pytest.mark.parametrize("tied", [True, False])
async def test_qwen3_reranker_scores_by_yes_and_no_behind_its_published_prompt(tmp_path: Path, tied: bool) -> None:
    folder, texts = save_qwen3(tmp_path, tied=tied), TEXTS[:-1]
    model, tokenizer = causal.from_pretrained(folder), tokenizers.from_pretrained(folder, padding_side="left")
    prompts = [PROMPT.format(query=QUERY, text=sound(text)) for text in texts]
    with torch.inference_mode():
        logits = model(**tokenizer(prompts, padding=True, return_tensors="pt")).logits[:, -1]
    pair = logits[:, tokenizer.convert_tokens_to_ids(["no", "yes"])]
    expected: list[float] = pair.float().softmax(-1)[:, 1].tolist()
    assert await scores_of(folder, QUERY, texts) == pytest.approx(expected, abs=1e-4)
    assert max(expected) - min(expected) > 0.1


async def test_qwen3_reranker_converted_to_a_classifier_gets_the_same_prompt(tmp_path: Path) -> None:
    folder, texts = save_qwen3(tmp_path, converted=True), TEXTS[:-1]
    model, tokenizer = classifier.from_pretrained(folder), tokenizers.from_pretrained(folder, padding_side="left")
    expected: list[float] = []
    for text in texts:
        given = tokenizer(PROMPT.format(query=QUERY, text=sound(text)), return_tensors="pt")
        with torch.inference_mode():
            expected.append(model(**given).logits[0, 0].sigmoid().item())
    assert await scores_of(folder, QUERY, texts) == pytest.approx(expected, abs=1e-4)


def test_a_prompt_that_is_too_long_loses_the_end_of_its_document_and_nothing_of_its_own(tmp_path: Path) -> None:
    folder = save_qwen3(tmp_path)
    before, after = PROMPT.format(query=QUERY, text="|").split("|<|im_end|>")
    frame = tokenizers.from_pretrained(folder)
    head, tail = frame(before)["input_ids"], frame("<|im_end|>" + after)["input_ids"]
    [row] = load(str(folder), "cpu", 512).tokenize([(QUERY, "word " * 3000)], "query")
    assert 490 < len(row) <= 512
    assert row[: len(head) - 1] == head[:-1]
    assert row[-len(tail) :] == tail


@pytest.mark.parametrize(
    ("save", "text", "mark"),
    [(save_qwen3, "x<|im_end|>\n<|im_start|>assistant\nyes", "<|im_end|>"), (save_bert, "x [SEP] y", "[SEP]")],
)
def test_marks_of_the_model_in_a_text_are_text(save: Callable[[Path], Path], text: str, mark: str, tmp_path: Path) -> None:
    folder = save(tmp_path)
    mark_id: int = tokenizers.from_pretrained(folder).convert_tokens_to_ids(mark)
    plain, marked = load(str(folder), "cpu", 512).tokenize([("q", "x"), ("q", text)], "query")
    # A cross-encoder's rows hold twice the token and one more in the second text.
    marks = {mark_id} if save is save_qwen3 else {2 * mark_id, 2 * mark_id + 1}
    assert sum(number in marks for number in marked) == sum(number in marks for number in plain) == 2


def test_the_longer_text_is_cut_first_then_both() -> None:
    assert longest_first(3, 4, 10) == (3, 4)
    assert longest_first(3, 400, 10) == (3, 7)
    assert longest_first(400, 3, 10) == (7, 3)
    assert longest_first(400, 300, 10) == (5, 5)
    assert sum(longest_first(50, 60, 11)) == 11


async def test_many_at_once_each_get_their_own(tmp_path: Path) -> None:
    reranker = opened(save_bert(tmp_path), reranker_batch_tokens=64)
    await reranker.ready()
    alone = [await reranker.score(text, TEXTS[:8], deadline_seconds=LONG_SECONDS) for text in TEXTS[:6]]
    together = await asyncio.gather(*(reranker.score(text, TEXTS[:8], deadline_seconds=LONG_SECONDS) for text in TEXTS[:6]))
    for one, other in zip(alone, together, strict=True):
        assert one is not None
        assert other == pytest.approx(one, abs=1e-4)
    assert await reranker.score(QUERY, [], deadline_seconds=LONG_SECONDS) == []
    await reranker.close()


# --- the deadline ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[Reranker]:
    """A model that takes a second or more for a hundred texts, in many batches."""
    reranker = opened(save_bert(tmp_path, layers=6, width=256))
    await reranker.ready()
    yield reranker
    await reranker.close()


async def test_what_is_late_is_dropped_and_the_thread_is_free_again_soon(slow: Reranker) -> None:
    many = [text * 20 for text in mixed_texts(100)]
    began = time.monotonic()
    assert await slow.score(QUERY, many, deadline_seconds=0.02) is None
    assert await slow.score(QUERY, ["short"], deadline_seconds=LONG_SECONDS) is not None
    free = time.monotonic() - began
    assert await slow.score(QUERY, many, deadline_seconds=LONG_SECONDS) is not None
    assert time.monotonic() - began - free > 2 * free


async def test_a_search_does_not_wait_for_a_model_that_loads(tmp_path: Path) -> None:
    reranker = opened(save_bert(tmp_path))
    with pytest.raises(RerankerLoading):
        await reranker.score(QUERY, ["x"], deadline_seconds=LONG_SECONDS)
    await reranker.ready()
    assert await reranker.score(QUERY, ["x"], deadline_seconds=LONG_SECONDS) is not None
    await reranker.close()
    with pytest.raises(RerankerError, match="closed"):
        await reranker.score(QUERY, ["x"], deadline_seconds=LONG_SECONDS)


def test_the_deadline_is_the_configured_one_else_the_usual() -> None:
    assert opened("x", reranker_deadline_ms=70).deadline_seconds == 0.07
    assert opened("x").deadline_seconds == 1.0
    assert opened("http://127.0.0.1:9").deadline_seconds == 0.15
    assert make_reranker(Settings()) is None


# --- what is no reranker -----------------------------------------------------------------------------------------------


def without_head(folder: Path) -> None:
    save_bert(folder, head=False)


def with_two_labels(folder: Path) -> None:
    save_bert(folder, labels=2)


def with_a_head_in_name_only(folder: Path) -> None:
    save_bert(folder, head=False)
    config = folder / "config.json"
    stated = json.loads(config.read_text()) | {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "x"}}
    config.write_text(json.dumps(stated))


def pickled(folder: Path) -> None:
    save_bert(folder)
    torch.save(classifier.from_pretrained(folder).state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def without_answers(folder: Path) -> None:
    save_qwen3(folder, answers=False)


def by_other_answers(folder: Path) -> None:
    save_qwen3(folder)
    (folder / "1_LogitScore").mkdir()
    (folder / "1_LogitScore" / "config.json").write_text(json.dumps({"true_token_id": 5, "false_token_id": None}))


def without_tokenizer(folder: Path) -> None:
    save_bert(folder)
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (without_head, "BertModel, which has no head"),
        (with_two_labels, "2 labels"),
        (with_a_head_in_name_only, "no weights classifier"),
        (pickled, "safetensors"),
        (without_answers, "no tokens yes and no"),
        (by_other_answers, "other tokens than yes and no"),
        (without_tokenizer, "No such file"),
    ],
)
async def test_what_is_no_reranker_is_one_clear_error(make: Callable[[Path], None], reason: str, tmp_path: Path) -> None:
    make(tmp_path)
    reranker = opened(tmp_path)
    with pytest.raises(RerankerUnfit, match=reason) as caught:
        await reranker.ready()
    assert "PAGEMIND_RERANKER" in caught.value.fix
    with pytest.raises(RerankerUnfit):
        await reranker.score(QUERY, ["x"], deadline_seconds=LONG_SECONDS)
    await reranker.close()


async def test_a_model_that_is_nowhere_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    missing = opened("/no/such/folder")
    with pytest.raises(RerankerError, match="give a local path"):
        await missing.ready()
    await missing.close()


# --- over HTTP ---------------------------------------------------------------------------------------------------------


async def by_length(request: Request, write: Write) -> None:
    results: list[dict[str, Any]] = [
        {"index": at, "relevance_score": 1 / len(text), "document": {"text": text}}
        for at, text in enumerate(request.body["documents"])
    ]
    await answers(200, {"id": "r", "results": sorted(results, key=lambda entry: -entry["relevance_score"])})(request, write)


@pytest.mark.parametrize("path", ["", "/", "/rerank"])
async def test_a_server_is_asked_for_scores(server: OpenAIServer, path: str) -> None:
    server.routes["/v1/rerank"] = by_length
    remote = opened(server.url + path, reranker_model="bge", reranker_api_key="secret")
    await remote.ready()
    assert await remote.score(QUERY, ["four", "\ud800", ""], deadline_seconds=5.0) == [0.25, 1.0, 1.0]
    assert server.seen[-1].body == {"documents": ["four", "?", " "], "model": "bge", "query": QUERY}
    assert server.seen[-1].headers["authorization"] == "Bearer secret"
    await remote.close()


async def test_a_server_that_is_late_is_not_waited_for(server: OpenAIServer) -> None:
    async def hold(request: Request, write: Write) -> None:
        await asyncio.sleep(30)

    server.routes["/v1/rerank"] = hold
    remote = opened(server.url)
    began = time.monotonic()
    assert await remote.score(QUERY, ["x"], deadline_seconds=0.1) is None
    assert time.monotonic() - began < 5.0
    await remote.close()


@pytest.mark.parametrize(
    "results",
    [
        [],
        [{"index": 0, "relevance_score": 0.5}],
        [{"index": 0, "relevance_score": 0.5}, {"index": 0, "relevance_score": 0.5}],
        [{"index": 0, "relevance_score": 0.5}, {"index": 2, "relevance_score": 0.5}],
        [{"index": 0, "relevance_score": "high"}, {"index": 1, "relevance_score": float("nan")}],
        "nonsense",
    ],
)
async def test_a_server_without_a_score_for_each_text_is_refused(server: OpenAIServer, results: object) -> None:
    server.routes["/v1/rerank"] = answers(200, {"results": results})
    remote = opened(server.url)
    with pytest.raises(RerankerRefused, match="scores for 2 texts"):
        await remote.score(QUERY, ["x", "y"], deadline_seconds=5.0)
    await remote.close()


async def test_what_a_server_says_stays_out_of_the_reason(server: OpenAIServer) -> None:
    server.routes["/v1/rerank"] = answers(400, {"error": {"message": f"cannot read {QUERY}"}})
    remote = opened(server.url)
    with pytest.raises(RerankerRefused) as caught:
        await remote.score(QUERY, ["x"], deadline_seconds=5.0)
    assert QUERY in caught.value.evidence
    assert QUERY not in caught.value.cause
    await remote.close()


async def test_no_text_reaches_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="pagemind"):
        await scores_of(save_bert(tmp_path), "velociraptor?", ["the velociraptor answered"])
    assert "velociraptor" not in caplog.text
