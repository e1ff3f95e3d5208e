from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pagemind.errors import EmbedderError, EmbedderWeights
from pagemind.model import weights
from pagemind.model.batch_queue import BatchQueue, Item, split
from pagemind.model.batch_work import work
from pagemind.model.embedder import Embedder, Kind, make_embedder
from pagemind.model.graphs import Vectors
from pagemind.model.torch_embedder import TorchEmbedder
from pagemind.settings import Settings
from pagemind.testing.measure.embedding import mixed_texts
from pagemind.testing.openai_server import OpenAIServer, Request, Write, answers

pytestmark = pytest.mark.anyio

SENTENCES = [
    "The dentist is on Tuesday at three.",
    "I grew up in Porto and moved to Berlin in 2019.",
    "Quarterly revenue fell by 4 % after the launch slipped.",
    "日本語の文章もあります。",
    "x",
    *mixed_texts(20),
]


@pytest.fixture(scope="module")
async def embedder() -> AsyncIterator[TorchEmbedder]:
    made = make_embedder(Settings())
    assert isinstance(made, TorchEmbedder)
    made.warm()
    yield made
    await made.close()


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


async def test_like_texts_are_near_and_vectors_are_unit(embedder: Embedder) -> None:
    cat, feline, stocks = await embedder.embed(
        ["The cat sits on the mat", "A feline rests on a rug", "Stocks fell on Monday"], kind="document"
    )
    assert embedder.dimensions == len(cat) == 384
    assert cosine(cat, cat) == pytest.approx(1.0, abs=1e-3)
    assert cosine(cat, feline) > 0.4 > cosine(cat, stocks)


async def test_vectors_are_those_of_the_model_in_full_precision(embedder: Embedder) -> None:
    import torch  # noqa: PLC0415 - slow, and only this test compares with it
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

    folder = str(weights.minilm_folder())
    load: Any = AutoModel
    tokenizers: Any = AutoTokenizer
    model, tokenizer = load.from_pretrained(folder, dtype=torch.float32), tokenizers.from_pretrained(folder)
    ours = await embedder.embed(SENTENCES, kind="document")
    for text, vector in zip(SENTENCES, ours, strict=True):
        given = tokenizer(text, return_tensors="pt", truncation=True, max_length=256)
        with torch.inference_mode():
            mean = model(**given).last_hidden_state.mean(1)[0]
        reference: list[float] = (mean / mean.norm()).tolist()
        assert cosine(vector, reference) >= 0.999


async def test_any_text_gets_a_vector(embedder: Embedder) -> None:
    odd = ["", " ", "\ud800", "\x00", "🙂" * 3000, "word " * 50_000]
    assert [len(vector) for vector in await embedder.embed(odd, kind="document")] == [384] * len(odd)
    assert await embedder.embed([], kind="document") == []


async def test_callers_at_once_each_get_their_own(embedder: Embedder) -> None:
    alone = [(await embedder.embed([text], kind="document"))[0] for text in SENTENCES[:8]]
    together = await asyncio.gather(*(embedder.embed([text], kind="document") for text in SENTENCES[:8]))
    assert all(cosine(one, other[0]) > 0.999 for one, other in zip(alone, together, strict=True))


async def test_a_query_goes_ahead_of_bulk_documents(embedder: Embedder) -> None:
    bulk = asyncio.create_task(embedder.embed(mixed_texts(300), kind="document"))
    await asyncio.sleep(0.1)
    await embedder.embed(["Where is the key?"], kind="query")
    assert not bulk.done()
    await bulk


async def test_a_cancelled_callers_texts_are_dropped(embedder: Embedder) -> None:
    await embedder.embed(["warm"], kind="query")
    bulk = asyncio.create_task(embedder.embed(mixed_texts(3000), kind="document"))
    await asyncio.sleep(0.1)
    bulk.cancel()
    with pytest.raises(asyncio.CancelledError):
        await bulk
    await asyncio.wait_for(embedder.embed(["next"], kind="document"), 5)


async def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path) -> None:
    weights.verify(Path(str(weights.minilm_folder())) / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(EmbedderWeights):
        weights.verify(tmp_path / "model.safetensors")


async def test_a_model_that_is_nowhere_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    missing = make_embedder(Settings(embedder="/no/such/folder"))
    with pytest.raises(EmbedderError, match="give a local path"):
        await missing.embed(["x"], kind="query")
    with pytest.raises(EmbedderError):
        await missing.ready()
    await missing.close()


async def test_a_model_by_path_follows_its_own_pooling_and_prompts(embedder: Embedder, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(Path(str(weights.minilm_folder())), folder)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "query: ", "document": ""}}))
    other = make_embedder(Settings(embedder=str(folder)))
    assert other.dimensions == 384
    [as_query], [as_document], [mean] = (
        await other.embed(["tea"], kind="query"),
        await other.embed(["tea"], kind="document"),
        await embedder.embed(["tea"], kind="document"),
    )
    [spelled_out] = await other.embed(["query: tea"], kind="document")
    assert cosine(as_query, spelled_out) > 0.999
    assert cosine(as_query, as_document) < 0.99
    assert cosine(as_document, mean) < 0.99
    await other.close()


async def test_after_close_callers_get_an_error(tmp_path: Path) -> None:
    closed = make_embedder(Settings())
    await closed.close()
    with pytest.raises(EmbedderError):
        await closed.embed(["x"], kind="query")


# --- the queue alone, with an encoder that is no model -----------------------------------------------------------------


class Slow:
    """Encodes in the order asked, one batch for each permit; texts are numbers of tokens."""

    dimensions = 1
    dtype = "none"
    most_batch_tokens = 10
    batches_ahead = 0

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.permits = threading.Semaphore(0)

    def tokenize(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        return [[1] * int(text) for text in texts]

    def start(self, batch: Sequence[Sequence[int]]) -> Vectors:
        self.permits.acquire(timeout=5)
        if any(len(row) == 7 for row in batch):
            raise RuntimeError("seven")
        self.batches.append([len(row) for row in batch])
        return lambda: [[float(len(row))] for row in batch]


@pytest.fixture
async def queue() -> AsyncIterator[tuple[BatchQueue[str, list[float]], Slow]]:
    made, slow = BatchQueue[str, list[float]](10, EmbedderError), Slow()

    thread = threading.Thread(target=work, args=(made, slow))
    thread.start()
    yield made, slow
    made.close(EmbedderError("closed"))
    slow.permits.release(100)
    await asyncio.to_thread(thread.join)


def put(queue: BatchQueue[str, list[float]], kind: Kind, *lengths: int) -> list[asyncio.Future[list[float]]]:
    loop = asyncio.get_running_loop()
    items: list[Item[str, list[float]]] = [Item(str(length), kind, loop.create_future(), loop) for length in lengths]
    queue.put(items)
    return [item.future for item in items]


async def test_while_queries_come_batches_of_documents_are_a_quarter_as_large() -> None:
    queue = BatchQueue[str, list[float]](65_536, EmbedderError)
    put(queue, "document", *[64] * 100)
    tokenize = Slow().tokenize
    assert len(queue.take(tokenize, 2048)) == 32
    put(queue, "query", 8)
    assert [item.kind for item in queue.take(tokenize, 2048)] == ["query"]
    assert len(queue.take(tokenize, 2048)) == 8
    assert len(queue.take(tokenize, 256)) == 4


async def test_batches_are_of_like_length_and_within_the_budget(queue: tuple[BatchQueue[str, list[float]], Slow]) -> None:
    waiting, slow = queue
    futures = put(waiting, "document", 1, 9, 2, 5, 1, 5, 2, 30)
    slow.permits.release(100)
    assert [(await future)[0] for future in futures] == [1, 9, 2, 5, 1, 5, 2, 30]
    assert slow.batches == [[30], [9], [5, 5], [1, 1, 2, 2]]


async def test_queries_overtake_documents_but_do_not_starve_them(queue: tuple[BatchQueue[str, list[float]], Slow]) -> None:
    waiting, slow = queue
    documents = put(waiting, "document", 10, 10, 10)
    await asyncio.sleep(0.05)
    queries = put(waiting, "query", *[8] * 40)
    slow.permits.release(100)
    await asyncio.gather(*documents, *queries)
    order = [batch[0] for batch in slow.batches]
    assert order[:3] == [10, 8, 8]
    assert order.index(10, 1) < len(order) - 3


async def test_an_error_reaches_only_the_callers_of_its_batch(queue: tuple[BatchQueue[str, list[float]], Slow]) -> None:
    waiting, slow = queue
    bad, good = put(waiting, "document", 7), put(waiting, "document", 10)
    slow.permits.release(100)
    assert (await good[0]) == [10.0]
    with pytest.raises(EmbedderError, match="seven"):
        await bad[0]


async def test_cancelled_texts_are_never_encoded(queue: tuple[BatchQueue[str, list[float]], Slow]) -> None:
    waiting, slow = queue
    first, second, third = put(waiting, "document", 10, 9, 8)
    await asyncio.sleep(0.05)
    second.cancel()
    slow.permits.release(100)
    await asyncio.gather(first, third)
    assert slow.batches == [[10], [8]]


def test_splitting_takes_the_longest_first_and_loses_nothing() -> None:
    loop = asyncio.new_event_loop()
    items: list[Item[str, list[float]]] = [
        Item("", "document", loop.create_future(), loop, [0] * length) for length in (1, 2, 3, 50)
    ]
    batch, rest = split(items, 10)
    assert (batch, rest) == (items[3:], items[:3])
    assert all(len(a.ids) <= len(b.ids) for a, b in pairwise(rest))
    loop.close()


# --- over HTTP ---------------------------------------------------------------------------------------------------------


async def test_an_endpoint_for_embeddings_is_asked_in_parts(server: OpenAIServer) -> None:
    async def embeddings(request: Request, write: Write) -> None:
        rows = [{"index": at, "embedding": [3.0, 4.0 * len(text)]} for at, text in enumerate(request.body["input"])]
        await answers(200, {"data": rows[::-1]})(request, write)

    server.routes["/v1/embeddings"] = embeddings
    remote = make_embedder(Settings(embedder="openai:bge", embedder_url=server.url))
    await remote.ready()
    vectors = await remote.embed(["x" * (at % 3 + 1) for at in range(100)], kind="document")
    assert remote.dimensions == 2
    assert vectors[0] == [0.6, 0.8]
    assert vectors[99] == vectors[0] != vectors[1]
    await remote.close()


async def test_an_endpoint_that_answers_nonsense_is_an_error(server: OpenAIServer) -> None:
    server.routes["/v1/embeddings"] = answers(200, {"data": [{"embedding": "nonsense"}]})
    remote = make_embedder(Settings(embedder="openai:bge", embedder_url=server.url))
    with pytest.raises(EmbedderError):
        await remote.embed(["x"], kind="query")
    server.routes["/v1/embeddings"] = answers(500, {"error": "boom"})
    with pytest.raises(EmbedderError, match="boom"):
        await remote.embed(["x"], kind="query")
    await remote.close()
