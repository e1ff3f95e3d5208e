"""What the engine asks of a reranker, and the choice of one. Nothing here imports torch."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Protocol, cast

from pagemind.settings import Settings

Pair = tuple[str, str]
"""A query and a text."""

LATE = "late"
"""The setting that names no model: late interaction by the embedder's."""
DEADLINE_SECONDS = 0.15
CPU_DEADLINE_SECONDS = 1.0


class Reranker(Protocol):
    """Reads a query together with each text, and says how well that answers it."""

    @property
    def name(self) -> str:
        """The model's name, folder or URL."""
        ...

    @property
    def weight(self) -> float | None:
        """How its score is mixed with the search's own: so many times that, both scaled to 0 to 1; None: it alone counts."""
        ...

    @property
    def deadline_seconds(self) -> float:
        """How long a search should wait for it: what is configured, else what is usual on its device."""
        ...

    def warm(self) -> None:
        """Start loading in the background and return at once; a failure shows at the next ``score``."""
        ...

    async def ready(self) -> None:
        """Return when the model is loaded. Raises ``RerankerError``."""
        ...

    async def score(self, query: str, texts: Sequence[str], *, deadline_seconds: float) -> list[float] | None:
        """A score for each text, in order, the higher the better; None where they were late: those left are dropped.

        Raises ``RerankerLoading`` at once while the model still loads, and ``RerankerError``.
        """
        ...

    async def close(self) -> None:
        """Stop the reranker's thread or connections."""
        ...


def make_reranker(settings: Settings) -> Reranker | None:
    """The reranker that the settings name; None where they name none. Cheap: ``warm`` loads the model. Raises RerankerError."""
    if not settings.reranker:
        return None
    if settings.reranker == LATE:
        return cast("Reranker", importlib.import_module("pagemind.model.late_reranker").LateReranker(settings))
    remote = settings.reranker.startswith(("http://", "https://"))
    # A remote one needs an HTTP client, a local one a thread: neither is loaded for the other.
    module = importlib.import_module("pagemind.model.served_reranker" if remote else "pagemind.model.torch_reranker")
    return cast("Reranker", (module.ServedReranker if remote else module.TorchReranker)(settings, settings.reranker))


def waiting_seconds(settings: Settings, usual: float) -> float:
    """The deadline that is configured, else the usual one."""
    return settings.reranker_deadline_ms / 1000 if settings.reranker_deadline_ms else usual
