"""The app: every router, and what stands before and behind them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.datastructures import State
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from pagemind import __version__
from pagemind.api import documents, health
from pagemind.api.bodies import Bodies
from pagemind.api.dispatch import Dispatch, all_routes
from pagemind.api.door import Door
from pagemind.api.front import Answered, Front
from pagemind.api.guards import Guard, Reach, is_loopback
from pagemind.api.http_metrics import HttpMetrics
from pagemind.api.letta import (
    agent_context,
    agent_files,
    agent_moving,
    agents,
    all_messages,
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
    tools_of_agents,
)
from pagemind.api.openai import chat, embeddings, responses
from pagemind.api.openai import models as openai_models
from pagemind.api.problems import Problem, problem_of
from pagemind.engine.tenancies import Tenancies
from pagemind.errors import PagemindError
from pagemind.records.text import clean_text
from pagemind.settings import Settings

log = logging.getLogger(__name__)

MOST_FAULTS = 20


class Failure(BaseModel):
    """Every failure but a refused form."""

    detail: str | dict[str, str]


class Invalid(BaseModel):
    """A request that is not of the form asked for."""

    trace_id: str
    detail: str


FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure},
    401: {"model": Failure},
    403: {"model": Failure},
    404: {"model": Failure},
    409: {"model": Failure},
    413: {"model": Failure},
    422: {"model": Invalid},
    429: {"model": Failure},
}

ROUTERS = (
    health, agents, blocks, core_memory, messages, all_messages, conversations, runs, steps, tools, tools_of_agents,
    mcp_servers, archives, passages, folders, agent_files, agent_context, agent_moving, identities, models, tags, chat,
    responses, embeddings, openai_models, documents, refused,
)  # fmt: skip


ABOUT: dict[str, Any] = {
    "title": "Pagemind",
    "version": __version__,
    "description": "Stateful agents over the REST API that Letta's clients speak, and over OpenAI's.",
    "redirect_slashes": False,
    "docs_url": None,
    "redoc_url": None,
    "openapi_url": None,
}
Tell = Callable[[Answered], None]


def make_app(tenancies: Tenancies, settings: Settings, *, host: str = "127.0.0.1", tell: Tell | None = None) -> ASGIApp:
    """The server over the open tenancies; ``host`` is where it listens, ``tell`` hears of each request."""
    metrics = HttpMetrics()
    routers = [refused.early, *(module.router for module in ROUTERS)]
    state = State({"metrics": metrics, "scraped": health.Scraped(), "describe": description(routers)})

    def part(routes: Sequence[BaseRoute]) -> FastAPI:
        app = FastAPI(routes=list(routes), **ABOUT)
        app.state = state
        app.add_exception_handler(Problem, answer_problem)
        app.add_exception_handler(PagemindError, answer_error)
        app.add_exception_handler(RequestValidationError, answer_invalid)
        app.add_exception_handler(Exception, answer_unknown)
        return app

    app = Dispatch([route for router in routers for route in all_routes(router)], part)
    door = Door(Bodies(app, settings), tenancies, settings, always_locked=not is_loopback(host))
    return Front(Guard(door, Reach.of(settings, host)), metrics, most=settings.serve_requests, tell=tell)


def description(routers: Sequence[APIRouter]) -> Callable[[], dict[str, Any]]:
    """Makes the OpenAPI description, with how each route may fail. It is made of an app of its own: that costs a second."""

    @cache
    def described() -> dict[str, Any]:
        app = FastAPI(**ABOUT)
        for router in routers:
            app.include_router(router, responses=FAILURES)
        return app.openapi()

    return described


async def answer_problem(request: Request, error: Exception) -> JSONResponse:
    """A problem that a route found."""
    assert isinstance(error, Problem)
    return JSONResponse(error.body, error.status, error.headers)


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """An error of the runtime."""
    assert isinstance(error, PagemindError)
    problem = problem_of(error)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return await answer_problem(request, problem)


async def answer_invalid(request: Request, error: Exception) -> JSONResponse:
    """A request that is not of the form asked for: 422 with the fields, without what was sent."""
    assert isinstance(error, RequestValidationError)
    faults = [{"loc": fault["loc"], "msg": fault["msg"], "type": fault["type"]} for fault in error.errors()[:MOST_FAULTS]]
    return JSONResponse({"trace_id": "", "detail": clean_text(str(faults))}, HTTPStatus.UNPROCESSABLE_ENTITY)


async def answer_unknown(request: Request, error: Exception) -> JSONResponse:
    """What nobody foresaw: its traceback goes to the log and nowhere else."""
    return JSONResponse({"detail": "An unknown error occurred"}, HTTPStatus.INTERNAL_SERVER_ERROR)
