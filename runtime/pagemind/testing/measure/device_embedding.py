"""The embedder at BGE-M3's shape on a GPU: texts a second, share of the device's peak, a query's latency, the loop's stalls.

Without a GPU a small shape on the CPU is measured instead, and the figures say so.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from pagemind.model.batch_queue import FULL_TOKENS
from pagemind.model.embedder import make_embedder
from pagemind.model.encoder import Encoder
from pagemind.settings import Settings
from pagemind.testing.measure.encoder_shape import BGE_M3, SMALL, EncoderShape, text_of, write_encoder
from pagemind.testing.measure.stalls import Stalls

TEXT_TOKENS = (32, 128)
QUERY_TOKENS = 16
ROUNDS = 3


@dataclass(frozen=True)
class Effort:
    """How much is measured: ``batch_tokens`` of the bare encoder, texts through the embedder, queries, a matmul's edge."""

    batch_tokens: int
    batches: int
    texts: int
    queries: int
    matmul_edge: int


ON_GPU = Effort(batch_tokens=65_536, batches=8, texts=16_384, queries=200, matmul_edge=8192)
ON_CPU = Effort(batch_tokens=2048, batches=2, texts=256, queries=20, matmul_edge=1024)


@dataclass(frozen=True)
class Bulk:
    """One length of text: the encoder alone on token ids, and through the whole embedder from an event loop."""

    tokens: int
    encoder_texts_per_second: float
    encoder_flops: float
    encoder_share_of_peak: float
    texts_per_second: float
    share_of_peak: float
    largest_stall_ms: float


@dataclass(frozen=True)
class Latency:
    """Milliseconds of the encoder for one query; the embedder's adds the thread's and the loop's turns."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class DeviceFigures:
    """``gpu`` off: a small shape on the CPU, which says nothing about a GPU. ``peak_flops`` is a large bf16 matmul's."""

    gpu: bool
    device: str
    shape: EncoderShape
    peak_flops: float
    bulk: list[Bulk]
    query_with_graphs: Latency | None
    query_without_graphs: Latency
    query_through_embedder: Latency

    def figures(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def measure_device() -> DeviceFigures:
    """All of it, on the GPU where there is one: some minutes there, some seconds on a CPU."""
    transformers_logging.disable_progress_bar()
    gpu = torch.cuda.is_available()
    device, shape, effort = ("cuda", BGE_M3, ON_GPU) if gpu else ("cpu", SMALL, ON_CPU)
    with TemporaryDirectory() as place:
        folder = Path(place) / "model"
        folder.mkdir()
        write_encoder(shape, folder)
        peak = peak_flops(device, effort.matmul_edge)
        plain = Encoder(folder, device, recorded=False)
        without = query_latency(plain, effort.queries)
        alone = {tokens: encoder_speed(plain, tokens, effort) for tokens in TEXT_TOKENS}
        recorded = query_latency(Encoder(folder, device), effort.queries) if gpu else None
        through, bulk = asyncio.run(embedder_figures(folder, device, shape, effort, alone, peak))
    name: str = torch.cuda.get_device_name() if gpu else "cpu"
    return DeviceFigures(gpu, name, shape, peak, bulk, recorded, without, through)


def peak_flops(device: str, edge: int) -> float:
    """What a product of two square bf16 matrices reaches here, 2 x edge^3 operations: the best of some rounds of ten."""
    left = torch.randn(edge, edge, device=device, dtype=torch.bfloat16)
    return max(2.0 * edge**3 * 10 / seconds_of(lambda: multiply(left, 10), device) for _ in range(ROUNDS + 1))


def multiply(matrix: torch.Tensor, times: int) -> None:
    """Multiply a matrix with itself."""
    for _ in range(times):
        torch.mm(matrix, matrix)


def seconds_of(work: Callable[[], object], device: str) -> float:
    """Wall time of some work, the device's part included."""
    finish(device)
    start = time.perf_counter()
    work()
    finish(device)
    return time.perf_counter() - start


def finish(device: str) -> None:
    """Wait until a GPU has nothing left to do."""
    if device == "cuda":
        torch.cuda.synchronize()


def encoder_speed(encoder: Encoder, tokens: int, effort: Effort) -> float:
    """Texts a second of the encoder alone: every batch started, then every batch waited for; the median of some rounds."""
    rows = [[1] * tokens] * (effort.batch_tokens // tokens)
    encoder.start(rows)()
    seconds = [seconds_of(lambda: run_batches(encoder, rows, effort.batches), encoder.device) for _ in range(ROUNDS)]
    return len(rows) * effort.batches / statistics.median(seconds)


def run_batches(encoder: Encoder, rows: Sequence[Sequence[int]], batches: int) -> None:
    """Some equal batches; one is always started ahead."""
    last = encoder.start(rows)
    for _ in range(batches - 1):
        following = encoder.start(rows)
        last()
        last = following
    last()


def query_latency(encoder: Encoder, queries: int) -> Latency:
    """One short query after the other, tokens in, floats out."""
    row = [[1] * QUERY_TOKENS]
    for _ in range(5):
        encoder.start(row)()
    return latency([timed(encoder, row) for _ in range(queries)])


def timed(encoder: Encoder, row: Sequence[Sequence[int]]) -> float:
    """Seconds of one batch."""
    start = time.perf_counter()
    encoder.start(row)()
    return time.perf_counter() - start


def latency(seconds: Sequence[float]) -> Latency:
    """Median and 95th percentile."""
    cuts = statistics.quantiles(seconds, n=20)
    return Latency(statistics.median(seconds) * 1000, cuts[-1] * 1000)


async def embedder_figures(
    folder: Path, device: str, shape: EncoderShape, effort: Effort, alone: dict[int, float], peak: float
) -> tuple[Latency, list[Bulk]]:
    """The same through the embedder: tokenising, the queue, its thread and the hand-out to futures included."""
    embedder = make_embedder(Settings(home=folder, embedder=str(folder), embedder_device=device))
    await embedder.ready()
    bulk: list[Bulk] = []
    for tokens in TEXT_TOKENS:
        texts = [text_of(tokens)] * max(effort.texts * TEXT_TOKENS[0] // tokens, FULL_TOKENS // 1024)
        await embedder.embed(texts[: len(texts) // 4], kind="document")
        async with Stalls() as stalls:
            start = time.perf_counter()
            await embedder.embed(texts, kind="document")
            speed = len(texts) / (time.perf_counter() - start)
        flops = tokens * shape.flops_per_token(tokens)
        shares = (alone[tokens] * flops / peak, speed * flops / peak)
        bulk.append(
            Bulk(tokens, alone[tokens], alone[tokens] * flops, shares[0], speed, shares[1], stalls.largest_seconds * 1000)
        )
    seconds: list[float] = []
    for _ in range(effort.queries):
        start = time.perf_counter()
        await embedder.embed([text_of(QUERY_TOKENS)], kind="query")
        seconds.append(time.perf_counter() - start)
    await embedder.close()
    return latency(seconds), bulk
