"""Answers of the guards, which stand before the app and send for themselves."""

from __future__ import annotations

import json
from http import HTTPStatus

from starlette.types import Send

from pagemind.api.problems import Problem

UNAUTHORIZED = Problem(HTTPStatus.UNAUTHORIZED, "Unauthorized", headers={"WWW-Authenticate": "Bearer"})


async def answer(send: Send, problem: Problem) -> None:
    """Send the problem as JSON."""
    body = json.dumps(problem.body).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **problem.headers}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def too_many(what: str) -> Problem:
    """429: come back in a moment."""
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, f"{what} Try again in a moment.", headers={"Retry-After": "1"})
