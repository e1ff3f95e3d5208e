"""Guards: where a request may come from. Names and origins are checked, so that no web page of a stranger can ask the server.

A page can make a browser send requests to this machine (CSRF), and a name that its owner points at 127.0.0.1 can even read the
answers (DNS rebinding). Such a request names a strange host, or a strange origin.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pagemind.api.answers import answer
from pagemind.api.problems import Problem
from pagemind.settings import Settings

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1", "ip6-localhost"})
EXPOSED = b"x-request-id, retry-after, x-should-retry"
PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (b"access-control-max-age", b"600"),
    (b"content-length", b"0"),
]


@dataclass(frozen=True)
class Reach:
    """From where the server may be asked: the names of its own it goes by, and the origins of web pages."""

    names: frozenset[str]
    origins: frozenset[str]
    any_address: bool
    """Whether every IP address will do as a name: the server listens on all of this machine's."""

    @classmethod
    def of(cls, settings: Settings, host: str) -> Reach:
        """That of a server that listens on ``host``."""
        own = {host.lower(), *(name.lower() for name in settings.serve_hosts)}
        everywhere = not is_loopback(host)
        if everywhere:
            own.add(socket.gethostname().lower())
        return cls(LOOPBACK_NAMES | own, frozenset(origin.rstrip("/") for origin in settings.serve_origins), everywhere)

    def allows_name(self, name: str) -> bool:
        """Whether the server goes by this name."""
        if name in self.names or name.endswith(".localhost") or "*" in self.names:
            return True
        return self.any_address and is_address(name)

    def allows_origin(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may ask: it came from the server itself, or is named in the settings."""
        return origin in self.origins or "*" in self.origins or origin.partition("://")[2] == host


def is_address(name: str) -> bool:
    """Whether it is an IP address, which no stranger can point elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host.lower() == "localhost":
        return True
    return is_address(host) and ipaddress.ip_address(host).is_loopback


def host_name(header: str) -> str:
    """The name in a Host header, without its port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.rpartition(":")[0].lower() if header.count(":") == 1 else header.lower()


class Guard:
    """Refuses what comes under a strange name or from a strange page; answers browsers what they ask beforehand."""

    def __init__(self, app: ASGIApp, reach: Reach) -> None:
        self._app = app
        self._reach = reach

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then hand on."""
        host, origin = self._said(scope["headers"])
        if problem := self._problem(host, origin):
            return await answer(send, problem)
        if origin is None or not self._reach.origins:
            return await self._app(scope, receive, send)
        allowed = [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin")]
        if scope["method"] == "OPTIONS":
            asked = [value for name, value in scope["headers"] if name == b"access-control-request-headers"]
            headers = [*allowed, *PREFLIGHT, *((b"access-control-allow-headers", value) for value in asked[:1])]
            await send({"type": "http.response.start", "status": HTTPStatus.NO_CONTENT, "headers": headers})
            return await send({"type": "http.response.body", "body": b""})

        async def shared(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *allowed, (b"access-control-expose-headers", EXPOSED)]
            await send(message)

        return await self._app(scope, receive, shared)

    def _said(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str | None]:
        host, origin = "", None
        for name, value in headers:
            if name == b"host":
                host = value.decode("latin-1")
            elif name == b"origin":
                origin = value.decode("latin-1")
        return host, origin

    def _problem(self, host: str, origin: str | None) -> Problem | None:
        if not self._reach.allows_name(host_name(host)):
            detail = f"This server does not go by the name {host[:100]!r}. Its operator can add it to PAGEMIND_SERVE_HOSTS."
            return Problem(HTTPStatus.MISDIRECTED_REQUEST, detail)
        if origin is not None and not self._reach.allows_origin(origin, host):
            detail = f"Pages of {origin[:100]!r} may not ask this server. Its operator can add it to PAGEMIND_SERVE_ORIGINS."
            return Problem(HTTPStatus.FORBIDDEN, detail)
        return None
