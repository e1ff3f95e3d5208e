"""The app: every router, and what stands before and behind them."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Send

from pagemind import __version__
from pagemind.api import health
from pagemind.api.here import KEY, Here
from pagemind.api.letta import (
    agents,
    archives,
    blocks,
    conversations,
    core_memory,
    folders,
    identities,
    mcp_servers,
    messages,
    models,
    passages,
    refused,
    runs,
    steps,
    tags,
    tools,
)
from pagemind.api.openai import chat, embeddings, responses
from pagemind.api.openai import models as openai_models
from pagemind.api.problems import Problem, problem_of
from pagemind.engine.runtime import Runtime
from pagemind.errors import PagemindError
from pagemind.records import Scope

ROUTERS = (
    health, agents, blocks, core_memory, messages, conversations, runs, steps, tools, mcp_servers, archives, passages, folders,
    identities, models, tags, chat, responses, embeddings, openai_models, refused,
)  # fmt: skip


def make_app(runtime: Runtime) -> ASGIApp:
    """The server over an open runtime."""
    app = FastAPI(title="Pagemind", version=__version__, redirect_slashes=False)
    for module in ROUTERS:
        app.include_router(module.router)
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(PagemindError, answer_error)
    app.add_exception_handler(RequestValidationError, answer_invalid)
    return OneForm(Open(app, runtime))


class OneForm:
    """Every path in one form: ``/latest`` is ``/v1``, and a trailing slash means nothing.

    But for ``/v1/models/``, which lists the reasoner's models to Letta's clients: ``/v1/models`` lists agents to OpenAI's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Hand the request on under its path in that form."""
        if scope["type"] == "http":
            scope = {**scope, "path": one_form(scope["path"])}
        await self._app(scope, receive, send)


def one_form(path: str) -> str:
    """The path in that form."""
    if path.startswith("/latest/"):
        path = "/v1/" + path.removeprefix("/latest/")
    return path if path in ("/", "/v1/models/") else path.rstrip("/")


class Open:
    """Everybody who can reach the server is the operator: it listens on loopback only."""

    def __init__(self, app: ASGIApp, runtime: Runtime) -> None:
        self._app = app
        self._here = Here(runtime, frozenset(Scope))

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Hand the request on with its caller."""
        if scope["type"] == "http":
            scope[KEY] = self._here
        await self._app(scope, receive, send)


async def answer_problem(request: Request, error: Exception) -> JSONResponse:
    """A problem that a route found."""
    assert isinstance(error, Problem)
    return JSONResponse(error.body, error.status, error.headers)


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """An error of the runtime."""
    assert isinstance(error, PagemindError)
    return await answer_problem(request, problem_of(error))


async def answer_invalid(request: Request, error: Exception) -> JSONResponse:
    """A request that is not of the form asked for: 422 with the fields, without what was sent."""
    assert isinstance(error, RequestValidationError)
    faults = [{"loc": fault["loc"], "msg": fault["msg"], "type": fault["type"]} for fault in error.errors()]
    return JSONResponse({"trace_id": "", "detail": str(faults)}, 422)
