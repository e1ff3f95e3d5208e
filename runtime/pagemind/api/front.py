"""The front: every request passes it first. It gives the request its number and its path in one form, counts and times it,
bounds how many are answered at a time, and tells of what went wrong."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from secrets import token_hex

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pagemind.api.answers import answer, too_many
from pagemind.api.http_metrics import HttpMetrics
from pagemind.api.problems import Problem

log = logging.getLogger(__name__)

SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
REQUEST_ID = b"x-request-id"
STREAM = b"text/event-stream"
LEFT = 499
"""How a request is counted whose client went away before there was an answer."""
NUL = Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "", body={"trace_id": "", "detail": "The address holds a NUL character."})


@dataclass(frozen=True)
class Answered:
    """A request and how it was answered."""

    request_id: str
    method: str
    path: str
    status: int
    seconds: float


class Front:
    """Passes requests on to the app, at most ``most`` at a time."""

    def __init__(
        self, app: ASGIApp, metrics: HttpMetrics, *, most: int, tell: Callable[[Answered], None] | None = None
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._most = most
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            return
        scope = {**scope, "path": one_form(scope["path"])}
        passing = Passing(scope, send, self._metrics)
        try:
            await self._pass_on(scope, receive, passing.send)
        finally:
            self._end(passing.end())

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._metrics.open_requests > self._most:
            await answer(send, too_many("The server answers as many requests as it may."))
        elif "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            await answer(send, NUL)
        else:
            await self._app(scope, receive, send)

    def _end(self, answered: Answered) -> None:
        if answered.status >= HTTPStatus.INTERNAL_SERVER_ERROR and answered.status != HTTPStatus.NOT_IMPLEMENTED:
            log.warning("request %s: %s %s: %d", answered.request_id, answered.method, answered.path, answered.status)
        if self._tell is not None:
            self._tell(answered)


class Passing:
    """One request on its way."""

    def __init__(self, scope: Scope, send: Send, metrics: HttpMetrics) -> None:
        self._scope = scope
        self._send = send
        self._metrics = metrics
        self._began = time.perf_counter()
        self._status = LEFT
        self._streams = False
        self._id = token_hex(8)
        metrics.open_requests += 1

    async def send(self, message: Message) -> None:
        """Send the message; the first with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = [*message["headers"], (REQUEST_ID, self._id.encode()), *SECURITY]
            message = {**message, "headers": headers}
            self._streams = any(name == b"content-type" and value.startswith(STREAM) for name, value in headers)
            self._metrics.open_streams += self._streams
        await self._send(message)

    def end(self) -> Answered:
        """Count it."""
        self._metrics.open_requests -= 1
        self._metrics.open_streams -= self._streams
        seconds = time.perf_counter() - self._began
        path = route_of(self._scope)
        self._metrics.answered(self._scope["method"], path, self._status, seconds, streamed=self._streams)
        return Answered(self._id, self._scope["method"], path, self._status, seconds)


def route_of(scope: Scope) -> str:
    """The path as its route is declared, without ids."""
    route = scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", None) or "none"


def one_form(path: str) -> str:
    """The path in one form: ``/latest`` is ``/v1``, and a trailing slash means nothing.

    But for ``/v1/models/``, which lists the reasoner's models to Letta's clients: ``/v1/models`` lists agents to OpenAI's.
    """
    if path.startswith("/latest/"):
        path = "/v1/" + path.removeprefix("/latest/")
    return path if path in ("/", "/v1/models/") else path.rstrip("/")
