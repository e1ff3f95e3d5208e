"""``pagemind bench-embedder``: the local embedder at BGE-M3's shape."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pagemind.testing.measure.device_embedding import DeviceFigures, Latency, measure_device

NO_GPU = "No GPU here: measured is a small shape on the CPU instead. These figures say nothing about a GPU."


def bench_embedder(*, figures: Path | None) -> int:
    """Measure, print the table, write the figures; the exit status."""
    measured = measure_device()
    console = Console(markup=False, highlight=False, width=110)
    if not measured.gpu:
        console.print(NO_GPU)
    console.print(table(measured))
    if figures is not None:
        figures.write_text(json.dumps(measured.figures(), indent=2) + "\n")
    return 0


def table(measured: DeviceFigures) -> Table:
    """The figures for people."""
    shape = measured.shape
    shown = Table("figure", "value", title=f"{shape.name}: {shape.layers} layers, {shape.width} wide, on {measured.device}")
    shown.add_row("bf16 peak here, by a large matmul", f"{measured.peak_flops / 1e12:.2f} TFLOP/s")
    for bulk in measured.bulk:
        alone = f"{bulk.encoder_texts_per_second:.0f} texts/s, {bulk.encoder_flops / 1e12:.3f} TFLOP/s"
        shown.add_row(f"{bulk.tokens} tokens, encoder alone", f"{alone}, {bulk.encoder_share_of_peak:.0%} of peak")
        speed = f"{bulk.texts_per_second:.0f} texts/s, {bulk.share_of_peak:.0%} of peak"
        shown.add_row(f"{bulk.tokens} tokens, through the embedder", speed)
        shown.add_row("  largest stall of the loop meanwhile", f"{bulk.largest_stall_ms:.1f} ms")
    shown.add_row("one query, encoder, with CUDA graphs", words(measured.query_with_graphs))
    shown.add_row("one query, encoder, without", words(measured.query_without_graphs))
    shown.add_row("one query, through the embedder", words(measured.query_through_embedder))
    return shown


def words(latency: Latency | None) -> str:
    """Median and 95th percentile."""
    return f"p50 {latency.p50_ms:.2f} ms, p95 {latency.p95_ms:.2f} ms" if latency else "not measured: no GPU"
