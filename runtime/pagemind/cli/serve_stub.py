"""``pagemind serve-stub``: the server that ``bench-server`` measures, with a reasoner and an embedder that take no time."""

from __future__ import annotations

from pagemind.cli.serve import LOOP_FACTORY, serve
from pagemind.settings import Settings
from pagemind.testing.measure.server.stub import StubReasoner
from pagemind.testing.vectors import HashEmbedder

__all__ = ["LOOP_FACTORY", "serve_stub"]


async def serve_stub(settings: Settings) -> int:
    """Serve on a free port of loopback; the exit status."""
    return await serve(settings, host="127.0.0.1", port=0, as_json=False, reasoner=StubReasoner(), embedder=HashEmbedder())
