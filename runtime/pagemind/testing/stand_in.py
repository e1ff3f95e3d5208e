"""A stand-in: a reasoner in front of a real one, which says of itself what the real one says."""

from __future__ import annotations

from pagemind.model.reasoner import Reasoner
from pagemind.records import TokenCounter


class StandIn:
    """Everything of a `Reasoner` but what it replies, which is for a subclass to say."""

    is_language_model = True

    def __init__(self, real: Reasoner) -> None:
        self._real = real

    @property
    def name(self) -> str:
        """The real one's."""
        return self._real.name

    @property
    def model(self) -> str:
        """The real one's."""
        return self._real.model

    @property
    def url(self) -> str:
        """The real one's."""
        return self._real.url

    @property
    def window_tokens(self) -> int:
        """The real one's."""
        return self._real.window_tokens

    @property
    def tokens(self) -> TokenCounter:
        """The real one's."""
        return self._real.tokens

    async def settle(self, affinity: str) -> bool:
        """The real one's."""
        return await self._real.settle(affinity)

    def home(self, affinity: str) -> str:
        """The real one's."""
        return self._real.home(affinity)
