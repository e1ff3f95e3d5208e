"""What is decided for a GPU, tested without one: shapes, the fallback, the order of work; and that the loop stays free."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from pagemind.errors import EmbedderError
from pagemind.model.batch_queue import BatchQueue, Item, length, split
from pagemind.model.batch_work import work
from pagemind.model.buckets import ROWS, WIDTHS, Shape, bulk_width, graph_shape, warm_shapes, waste
from pagemind.model.embedder import Kind, make_embedder
from pagemind.model.graphs import Graphs, Replay, Vectors
from pagemind.settings import Settings
from pagemind.testing.measure.embedding import mixed_texts
from pagemind.testing.measure.stalls import Stalls

pytestmark = pytest.mark.anyio

MOST_STALL_SECONDS = 1.0
"""Generous: other work on the machine makes the loop late as well."""


def test_a_row_of_a_recorded_shape_is_at_most_a_third_padding_from_32_tokens_on() -> None:
    for size in range(1, WIDTHS[-1] + 1):
        shape = graph_shape(1, size)
        assert shape is not None
        assert shape.width >= size
        assert waste([size], shape) < (1 / 3 if size >= 32 else 1 / 2 if size > 8 else 1)


def test_a_recorded_batch_has_fewer_than_twice_the_rows_and_large_ones_are_not_recorded() -> None:
    for rows in range(1, ROWS[-1] + 1):
        shape = graph_shape(rows, 32)
        assert shape is not None
        assert rows <= shape.rows < 2 * rows
    assert graph_shape(ROWS[-1] + 1, 32) is None
    assert graph_shape(1, WIDTHS[-1] + 1) is None
    assert len(ROWS) * len(WIDTHS) <= 40


def test_bulk_batches_of_a_gpu_are_at_most_a_sixth_padding_over_mixed_lengths() -> None:
    loop = asyncio.new_event_loop()
    for seed in range(10):
        chance = random.Random(seed)
        sizes = [min(512, max(3, int(chance.lognormvariate(4, 0.8)))) for _ in range(2048)]
        left = sorted((Item("", "document", loop.create_future(), loop, [0] * size) for size in sizes), key=length)
        padded = 0
        while left:
            batch, left = split(left, 65_536)
            padded += bulk_width(length(batch[-1])) * len(batch)
        assert 1 - sum(sizes) / padded <= 1 / 6
    loop.close()


def test_the_warm_shapes_are_those_of_one_query_that_the_model_can_read() -> None:
    assert warm_shapes(48) == [Shape(1, 16), Shape(1, 32), Shape(1, 48)]


def replayed(batch: Sequence[Sequence[int]]) -> Vectors:
    return lambda: [[float(len(row))] for row in batch]


def test_a_shape_is_recorded_once() -> None:
    recorded: list[Shape] = []

    def record(shape: Shape) -> Replay:
        recorded.append(shape)
        return replayed

    graphs = Graphs(record)
    assert [graphs.find(Shape(1, 16)), graphs.find(Shape(1, 16)), graphs.find(None)] == [replayed, replayed, None]
    assert recorded == [Shape(1, 16)]


def test_a_model_that_cannot_be_recorded_runs_without_for_good(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[Shape] = []

    def record(shape: Shape) -> Replay:
        asked.append(shape)
        if shape.width > 16:
            raise RuntimeError("operation not permitted when stream is capturing")
        return replayed

    graphs = Graphs(record)
    assert graphs.find(Shape(1, 16)) is replayed
    with caplog.at_level(logging.WARNING):
        assert graphs.find(Shape(1, 32)) is None
    assert "runs without: operation not permitted" in caplog.text
    assert [graphs.find(Shape(1, 16)), graphs.find(Shape(1, 64))] == [None, None]
    assert asked == [Shape(1, 16), Shape(1, 32)]


class Device:
    """Starts at once and computes when waited for, as a GPU's queue looks from outside; texts are numbers of tokens."""

    dimensions = 1
    dtype = "none"
    most_batch_tokens = 10
    batches_ahead = 1

    def __init__(self) -> None:
        self.seen: list[str] = []

    def tokenize(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        return [[1] * int(text) for text in texts]

    def start(self, batch: Sequence[Sequence[int]]) -> Vectors:
        size = len(batch[0])
        self.seen.append(f"start {size}")

        def vectors() -> list[list[float]]:
            self.seen.append(f"wait {size}")
            if size == 7:
                raise RuntimeError("seven")
            return [[float(len(row))] for row in batch]

        return vectors


async def run_through(device: Device, *asked: tuple[Kind, int]) -> list[list[float] | BaseException]:
    """Everything waits before the thread begins; it is closed when all are answered."""
    queue, loop = BatchQueue[str, list[float]](10, EmbedderError), asyncio.get_running_loop()
    items = [Item(str(size), kind, loop.create_future(), loop) for kind, size in asked]
    for item in items:
        queue.put([item])
    thread = threading.Thread(target=work, args=(queue, device))
    thread.start()
    answers = await asyncio.wait_for(asyncio.gather(*(item.future for item in items), return_exceptions=True), 5)
    queue.close(EmbedderError("closed"))
    await asyncio.to_thread(thread.join)
    return answers


async def test_the_next_batch_is_started_before_the_last_is_waited_for() -> None:
    device = Device()
    assert await run_through(device, ("document", 8), ("document", 10), ("document", 9)) == [[8.0], [10.0], [9.0]]
    assert device.seen == ["start 10", "start 9", "wait 10", "start 8", "wait 9", "wait 8"]


async def test_a_failure_that_shows_only_at_the_end_reaches_its_own_callers() -> None:
    bad, good = await run_through(Device(), ("document", 7), ("document", 10))
    assert isinstance(bad, EmbedderError)
    assert good == [10.0]


async def test_queries_without_end_do_not_hold_up_documents_that_were_started() -> None:
    device = Device()
    queries: list[tuple[Kind, int]] = [("query", 6)] * 80
    await run_through(device, ("document", 10), *queries)
    assert device.seen.index("wait 10") < len(device.seen) - 30


async def test_the_event_loop_stays_free_while_hundreds_of_texts_are_embedded(tmp_path: Path) -> None:
    embedder = make_embedder(Settings(home=tmp_path))
    await embedder.ready()
    async with Stalls() as stalls:
        await embedder.embed(mixed_texts(300), kind="document")
    await embedder.close()
    assert stalls.ticks > 10
    assert stalls.median_seconds < 0.02
    assert stalls.largest_seconds < MOST_STALL_SECONDS
