"""The embedders of a process: each model is loaded once, however many tenants it serves, and closed when nobody needs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pagemind.model.embedder import Embedder, make_embedder
from pagemind.settings import Settings

Make = Callable[[Settings], Embedder]

IDLE_SECONDS = 60.0
"""An embedder that serves nobody is closed after so long: searches that still wait for it have got their vector by then."""


@dataclass
class Serving:
    """The embedding model that serves a tenant. Another one may take its place while runs go on."""

    embedder: Embedder
    dimensions: int | None = None
    """Of the vectors in the store; None while there are none."""


@dataclass
class Opened:
    """An open embedder, how many tenants it serves, and when it was used last."""

    embedder: Embedder
    tenants: int = 0
    used_at: float = field(default_factory=time.monotonic)


class Embedders:
    """Opened by name, closed together. ``given`` is one that was opened elsewhere and is closed with the others."""

    def __init__(self, settings: Settings, given: Embedder | None = None, make: Make = make_embedder) -> None:
        self._settings = settings
        self._make = make
        self._given = given
        self._open: dict[tuple[str, str | None], Opened] = {}

    @property
    def first(self) -> str:
        """The model of a tenant that has no vectors yet: that of the given embedder, else the configured one."""
        return self._given.name if self._given is not None else full_name(self._settings.embedder)

    def use(self, model: str, url: str | None = None) -> Embedder:
        """The embedder of that name, to be used now; it loads behind. Raises EmbedderError."""
        return self._opened(model, url).embedder

    def hold(self, model: str, url: str | None = None) -> Embedder:
        """The embedder of that name, which serves a tenant from now on. Raises EmbedderError."""
        opened = self._opened(model, url)
        opened.tenants += 1
        return opened.embedder

    def let_go(self, embedder: Embedder) -> None:
        """It no longer serves one of its tenants."""
        for opened in self._open.values():
            if opened.embedder is embedder:
                opened.tenants -= 1
                opened.used_at = time.monotonic()

    async def close_idle(self) -> None:
        """Close those that serve nobody and were not used for a while."""
        for key, opened in list(self._open.items()):
            if not opened.tenants and time.monotonic() - opened.used_at > IDLE_SECONDS:
                await self._open.pop(key).embedder.close()

    async def close(self) -> None:
        """Close all."""
        while self._open:
            await self._open.popitem()[1].embedder.close()
        if self._given is not None:
            await self._given.close()

    def _opened(self, model: str, url: str | None) -> Opened:
        if self._given is not None and model == self._given.name:
            return Opened(self._given)
        opened = self._open.get((model, url))
        if opened is None:
            opened = self._open[model, url] = Opened(self._make(at_model(self._settings, model, url)))
        opened.used_at = time.monotonic()
        return opened


def at_model(settings: Settings, model: str, url: str | None) -> Settings:
    """The settings with this embedder. A key goes to the server it is set for only."""
    if url is None:
        return settings.model_copy(update={"embedder": model})
    known = settings.embedder_url in (None, url)
    key = settings.embedder_api_key if known else None
    return settings.model_copy(update={"embedder": model, "embedder_url": url, "embedder_api_key": key})


def full_name(model: str) -> str:
    """The model's name as it is stored: that of a folder is its whole path, so that any process finds it."""
    folder = Path(model).expanduser()
    return str(folder.resolve()) if folder.is_dir() else model
