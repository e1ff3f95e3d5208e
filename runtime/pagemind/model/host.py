"""A server as we know it: its model, window and traits, asked once for each life of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from pagemind.errors import ReasonerError, ReasonerRefused
from pagemind.model.probes import answered, find_traits
from pagemind.model.served import Server
from pagemind.model.traits import Traits
from pagemind.model.upstream import FAILURES
from pagemind.model.wire import Extra, Json, without

LIFE_SECONDS = 15.0
"""After this long without an answer from it, a server is asked whether it is still the process that it was."""
SETTLE_SECONDS = 3.0
LEAVE_SECONDS = 1.0
NOT_LISTED: Json = {}
REPLY_FIELDS = {"api.openai.com": "max_completion_tokens"}
"""OpenAI's own newer models refuse ``max_tokens``; several local servers know nothing else."""


class Host:
    """Remembers what the server said. ``lost`` and a changed start time make it ask anew; nothing else does."""

    def __init__(
        self,
        server: Server,
        url: str,
        model: str,
        told: Callable[[BaseException], Exception],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``url`` is shown, so it holds no password; ``told`` makes our errors of the client's."""
        self.server = server
        self.url = url
        self.model = model
        self.window: int | None = None
        self.listed: tuple[str, ...] = ()
        self.traits = Traits()
        self._told = told
        self._clock = clock
        self._asked = False
        self._lost = False
        self._heard_at = 0.0
        self._leave_until = 0.0
        self._learning = asyncio.Lock()

    @property
    def home(self) -> str:
        """The server and, where that can be known, which life of it; empty until it has answered once."""
        return self.traits.life(self.url) if self._asked else ""

    async def learn(self) -> None:
        """Ask the server what is not known yet of this life of it. Raises ``ReasonerError``."""
        if self._fresh:
            return
        async with self._learning:
            if self._fresh:
                return
            try:
                if await self._is_another():
                    await self._ask()
            except FAILURES as error:
                self.lost()
                raise self._told(error) from error
            self._asked, self._lost = True, False
            self.heard()

    async def settle(self) -> bool:
        """``learn``, but within seconds and without an error; False where the server is out of reach, or was a moment ago."""
        if self._clock() < self._leave_until:
            return False
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self.learn()
        except (ReasonerError, TimeoutError):
            self._leave_until = self._clock() + LEAVE_SECONDS
            return False
        return True

    def heard(self) -> None:
        """It has just answered."""
        self._heard_at = self._clock()
        self._leave_until = 0.0

    def lost(self) -> None:
        """The connection failed: whatever answers next may be another life."""
        self._lost = True

    def lacks(self, extra: Extra) -> None:
        """It refused a request for this extra: none holds it from now on."""
        self.traits = replace(self.traits, dialect=without(self.traits.dialect, extra))

    @property
    def _fresh(self) -> bool:
        return self._asked and not self._lost and self._clock() - self._heard_at < LIFE_SECONDS

    async def _is_another(self) -> bool:
        """Whether this is another life than the one that was asked; where lives look alike, one that was lost is."""
        if not self._asked or not self.traits.start:
            return self._lost or not self._asked
        return await answered(self.server.start(), "") != self.traits.start

    async def _ask(self) -> None:
        listed = await self._listed()
        self.window = await self.server.window(self.model, listed)
        reply_field = REPLY_FIELDS.get(urlsplit(self.url).hostname or "", "max_tokens")
        self.traits = await find_traits(self.server, self.model, listed, reply_field)

    async def _listed(self) -> Json:
        """The model's entry in ``/v1/models``. A server without that list is fine as long as the model is configured."""
        try:
            models = await self.server.models()
        except FAILURES as error:
            told = self._told(error)
            if self.model and isinstance(told, ReasonerRefused):
                return NOT_LISTED
            raise told from error
        self.listed = tuple(str(entry["id"]) for entry in models)
        if not self.model:
            if not models:
                raise ReasonerRefused("it lists no chat model; set PAGEMIND_REASONER_MODEL", url=self.url, status=200)
            self.model = str(models[0]["id"])
        return next((entry for entry in models if entry["id"] == self.model), NOT_LISTED)
