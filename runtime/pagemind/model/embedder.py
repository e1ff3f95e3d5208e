"""What the engine asks of an embedder, and the choice of one. Nothing here imports torch."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Literal, Protocol, cast

from pagemind.settings import Settings

Kind = Literal["query", "document"]


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def name(self) -> str:
        """The model's name, as it is stored beside its vectors."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of its vectors; 0 where only loading the model can tell, until ``ready`` has returned."""
        ...

    def warm(self) -> None:
        """Start loading in the background and return at once; a failure shows at the next ``embed``."""
        ...

    async def ready(self) -> None:
        """Return when the model is loaded. Raises ``EmbedderError``."""
        ...

    async def embed(self, texts: Sequence[str], *, kind: Kind) -> list[list[float]]:
        """A unit vector for each text, in order. Queries go ahead of documents. Raises ``EmbedderError``."""
        ...

    async def close(self) -> None:
        """Stop the embedder's thread or connections."""
        ...


def make_embedder(settings: Settings) -> Embedder:
    """The embedder that the settings name. Cheap: the model is loaded by ``warm`` or by the first ``embed``."""
    remote = settings.embedder.startswith("openai:")
    # A remote one needs the openai client, a local one a thread: neither is loaded for the other.
    module = importlib.import_module("pagemind.model.openai_embedder" if remote else "pagemind.model.torch_embedder")
    return cast("Embedder", (module.OpenAIEmbedder if remote else module.TorchEmbedder)(settings))
