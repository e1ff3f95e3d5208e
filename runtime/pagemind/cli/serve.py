"""``pagemind serve``: the agents over HTTP, in the foreground."""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp

from pagemind.api.app import make_app
from pagemind.cli.output import printer
from pagemind.cli.starting import say_local
from pagemind.engine.runtime import Runtime
from pagemind.settings import Settings

HEADER_SECONDS = 15
"""How long a connection may keep quiet between requests."""


async def serve(settings: Settings, *, host: str | None, port: int | None) -> int:
    """Serve until interrupted; the exit status."""
    host, port = host or settings.serve_host, settings.serve_port if port is None else port
    async with await Runtime.open(settings, tell=say_local) as runtime:
        server = Announced(config(make_app(runtime), host, port))
        await server.serve()
        return 0 if server.started else 1


def config(app: ASGIApp, host: str, port: int) -> uvicorn.Config:
    """How uvicorn runs it."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=HEADER_SECONDS,
        timeout_graceful_shutdown=5,
    )


class Announced(uvicorn.Server):
    """A server that says where it listens as soon as it does."""

    async def startup(self, sockets: object = None) -> None:
        """Listen, then say so on one line that other programs may read."""
        await super().startup()
        for server in self.servers:
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                printer().print(f"Pagemind listens on http://{host}:{port}", soft_wrap=True, highlight=False)
