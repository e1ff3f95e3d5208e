"""Dispatch: each request goes to a small app with the few routes that its path may be of.

One app with all routes tries them in turn, which for two hundred of them takes longer than the rest of what stands before a
route. Routes are told apart by the second and the fourth part of their paths: ``/v1/<agents>/{agent_id}/<messages>/...``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

VERSION = "v1"
ANY = "*"


class Dispatch:
    """Hands requests to apps made by ``make`` of the routes that a path may be of, where that is not known of all of them."""

    def __init__(self, routes: Sequence[BaseRoute], make: Callable[[Sequence[BaseRoute]], FastAPI]) -> None:
        self._whole = make(routes)
        self._make = make
        self._routes: dict[str, list[Route]] = {}
        self._words: dict[str, set[str]] = {}
        self._apps: dict[tuple[str, str], ASGIApp] = {}
        for route in routes:
            if isinstance(route, Route):
                self._add(route)

    def _add(self, route: Route) -> None:
        parts = parts_of(route.path)
        if parts[0] == VERSION and len(parts) > 1 and not is_parameter(parts[1]):
            self._routes.setdefault(parts[1], []).append(route)
            words = self._words.setdefault(parts[1], set())
            words.update(part for part in parts[3:4] if not is_parameter(part))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        await self._app_for(scope["path"])(scope, receive, send)

    def _app_for(self, path: str) -> ASGIApp:
        parts = parts_of(path)
        if parts[0] != VERSION or len(parts) < 2 or parts[1] not in self._routes:
            return self._whole
        word = parts[3] if len(parts) > 3 else ""
        key = (parts[1], word if not word or word in self._words[parts[1]] else ANY)
        if key not in self._apps:
            self._apps[key] = self._make([route for route in self._routes[key[0]] if may_be(parts_of(route.path), key[1])])
        return self._apps[key]


def all_routes(router: APIRouter) -> Iterator[BaseRoute]:
    """The router's routes, and those of the routers that it includes."""
    for route in router.routes:
        included = getattr(route, "original_router", None)
        if isinstance(included, APIRouter):
            yield from all_routes(included)
        else:
            yield route


def parts_of(path: str) -> list[str]:
    """What stands between the slashes."""
    return path[1:].split("/")


def is_parameter(part: str) -> bool:
    """Whether it stands for something else, such as ``{agent_id}``."""
    return part.startswith("{")


def may_be(parts: Sequence[str], word: str) -> bool:
    """Whether a route of these parts may fit paths whose fourth is this word, '' where they have none."""
    if any(part.endswith(":path}") for part in parts[:4]):
        return True
    fourth = parts[3] if len(parts) > 3 else ""
    return fourth == word or (is_parameter(fourth) and word != "")
