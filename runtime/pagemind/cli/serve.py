"""``pagemind serve``: the agents over HTTP, in the foreground."""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import resource
import signal
import socket
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress

import uvicorn
import uvloop
from rich.text import Text
from starlette.types import ASGIApp

from pagemind.api.app import make_app
from pagemind.api.front import Answered
from pagemind.api.guards import is_loopback
from pagemind.api.transport import PatientProtocol
from pagemind.cli.output import printer
from pagemind.cli.starting import say_local
from pagemind.cli.text import counted, safe_text
from pagemind.engine.keys import any_key
from pagemind.engine.runtime import Runtime
from pagemind.engine.tenancies import tenancies
from pagemind.errors import UsageError
from pagemind.model.embedder import Embedder
from pagemind.model.reasoner import Reasoner
from pagemind.settings import Settings
from pagemind.store.database import Database

LOOP_FACTORY = uvloop.new_event_loop
"""The event loop that this command runs on."""
BACKLOG = 2048
TAKEN = (errno.EADDRINUSE, errno.EACCES)


class PortTaken(UsageError):
    """The server cannot listen on port {port} of {host}. Fix: stop what listens there, or choose another with --port."""

    code = "port_taken"
    exit_status = 3


class UnknownAddress(UsageError):
    """This machine has no address {host!r} to listen on. Fix: give one it has with --host, such as 127.0.0.1."""

    code = "unknown_address"


class KeyNeeded(UsageError):
    """Others would reach the server at {host}, and there is no key that they need. Fix: run `pagemind keys create` first."""

    code = "key_needed"


async def serve(
    settings: Settings,
    *,
    host: str | None,
    port: int | None,
    as_json: bool,
    reasoner: Reasoner | None = None,
    embedder: Embedder | None = None,
) -> int:
    """Serve until interrupted; the exit status. Reasoner and embedder are the configured ones unless given."""
    host, port = host or settings.serve_host, settings.serve_port if port is None else port
    listening = bound(host, port)
    try:
        if not is_loopback(host):
            await refuse_without_key(settings, host)
        allow_many_files()
        opening = Runtime.open(settings, reasoner=reasoner, embedder=embedder, tell=say_local)
        async with await opening as runtime, tenancies(runtime) as opened:
            collect_rarely()
            app = make_app(opened, settings, host=host, tell=tell_as_json if as_json else None)
            server = Announced(config(app, settings), await facts(runtime), as_json=as_json)
            await server.serve(sockets=[listening])
    finally:
        listening.close()
    return 0


async def facts(runtime: Runtime) -> dict[str, str]:
    """What one may want to know of a server that starts."""
    locked, agents = await any_key(runtime.kernel.database), len(await runtime.agents())
    return {
        "agents": counted(agents, "agent") if agents else "none yet: POST /v1/agents makes one, and so does pagemind chat",
        "reasoner": safe_text(runtime.reasoner.name),
        "keys": "needed by every request" if locked else "none yet: who is on this machine may do everything",
    }


def bound(host: str, port: int) -> socket.socket:
    """A socket at this address, taken before anything else is started. PortTaken, UnknownAddress."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise UnknownAddress(str(error), host=host) from error
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno in TAKEN:
            raise PortTaken(error.strerror or "", host=host, port=port) from error
        raise UnknownAddress(str(error), host=host) from error
    return listening


async def refuse_without_key(settings: Settings, host: str) -> None:
    """KeyNeeded unless there is a key."""
    async with Database.opened(settings) as database:
        if not await any_key(database):
            raise KeyNeeded(host=host)


def allow_many_files() -> None:
    """Each stream is an open file; many systems allow a process 1,024 unless it asks for more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def collect_rarely() -> None:
    """What stands by now stays: the collector need not look at it again, nor at everything every few thousand requests.

    A look at everything holds hundreds of streams up for a quarter of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """How uvicorn runs it."""
    return uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=int(settings.serve_header_seconds) or 1,
        timeout_graceful_shutdown=int(settings.serve_drain_seconds),
    )


class Announced(uvicorn.Server):
    """A server that says where it listens as soon as it does, and stops in order when it is told to."""

    def __init__(self, config: uvicorn.Config, facts: Mapping[str, str], *, as_json: bool) -> None:
        super().__init__(config)
        self._facts = facts
        self._as_json = as_json

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so; the first line is one that other programs may read."""
        await super().startup(sockets)
        for listening in sockets or ():
            address = url_of(listening)
            if self._as_json:
                write_json({"event": "listening", "url": address})
            else:
                printer().print(Text(f"Pagemind listens on {address}"), soft_wrap=True)
                lines = [f"  {name:<10} {words}" for name, words in {**self._facts, "endpoints": f"{address}/docs"}.items()]
                printer().print(Text("\n".join([*lines, "Ctrl-C stops it."])), soft_wrap=True)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Stop at Ctrl-C or SIGTERM: accept nothing more, let streams end for a moment. Asked twice: at once."""
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sign, self.handle_exit, sign, None)
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        if not self._as_json:
            sys.stderr.write("stopping\n")
        await super().shutdown(sockets)


def url_of(listening: socket.socket) -> str:
    """Where clients find it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def tell_as_json(answered: Answered) -> None:
    """One line for each request. No address, no header: nothing of what was said, and no key."""
    write_json(
        {
            "event": "request",
            "time": time.time(),
            "request_id": answered.request_id,
            "method": answered.method,
            "route": answered.path,
            "status": answered.status,
            "seconds": round(answered.seconds, 6),
        }
    )


def write_json(value: dict[str, str | float]) -> None:
    """One line."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
