"""Routes that fail as OpenAI's do: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from pagemind.api.problems import Problem, problem_of
from pagemind.errors import PagemindError

Json = dict[str, Any]
TYPES = {401: "authentication_error", 403: "permission_error", 404: "invalid_request_error", 429: "rate_limit_error"}


class OpenAIRoute(APIRoute):
    """A route whose failures have OpenAI's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with its failures answered here."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                return failure(refusal(*first_fault(error)))
            except Problem as problem:
                return failure(problem)
            except PagemindError as error:
                return failure(problem_of(error))

        return answer


def openai_router() -> APIRouter:
    """A router of such routes."""
    return APIRouter(tags=["openai"], route_class=OpenAIRoute)


def refusal(
    message: str, param: str | None = None, *, code: str | None = None, status: int = HTTPStatus.BAD_REQUEST
) -> Problem:
    """A request that cannot be done as asked."""
    return Problem(status, message, body=error_body(status, message, param, code))


def error_body(status: int, message: str, param: str | None = None, code: str | None = None) -> Json:
    """The body of a failure."""
    kind = TYPES.get(status, "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def failure(problem: Problem) -> JSONResponse:
    """The answer. Letta's ``{"detail"}`` becomes OpenAI's shape."""
    body = problem.body
    if not (isinstance(body, dict) and "error" in body):
        body = error_body(problem.status, problem.detail if isinstance(problem.detail, str) else str(problem.detail))
    return JSONResponse(body, problem.status, problem.headers)


def first_fault(error: RequestValidationError) -> tuple[str, str]:
    """What is wrong with the request, and where."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"][1:])
    return f"{where or 'body'}: {fault['msg']}", where
