"""A Letta server that runs, as a client of its own REST API: whole lists, page by page, with patience."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self, cast

import httpx2

from pagemind.errors import LettaRefused, LettaUnreachable
from pagemind.records import Json

log = logging.getLogger(__name__)

PAGE = 100
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.5
"""Twice as long after each further failure."""
ANSWER_SECONDS = 120.0
AGAIN = frozenset({408, 429, 500, 502, 503, 504})
ABSENT = frozenset({404, 405, 422, 501})
"""What older servers answer to routes that they do not have, or that they read as another."""
CHECK_KEY = "give the server's password, or a key of Letta Cloud, with --key."
CHECK_URL = "check that the URL is that of a Letta server of version 0.8 or later."


class LettaServer:
    """A connection to one server. Only reads."""

    def __init__(self, url: str, key: str | None = None, *, first_pause_seconds: float = FIRST_PAUSE_SECONDS) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self._first_pause_seconds = first_pause_seconds
        headers = {} if key is None else {"Authorization": f"Bearer {key}", "X-BARE-PASSWORD": f"password {key}"}
        self._client = httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=ANSWER_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def get(self, path: str, **query: Any) -> Any:
        """The JSON at ``path``, asked for again where the server is busy or the connection breaks.

        Raises LettaUnreachable, LettaRefused.
        """
        response = await self._answer(path, query)
        if response.status_code >= 400:
            advice = CHECK_KEY if response.status_code in (401, 403) else CHECK_URL
            raise LettaRefused(response.text[:300], status=response.status_code, call=f"GET {path}", advice=advice)
        try:
            return response.json()
        except ValueError:
            raise LettaRefused("no JSON", status=response.status_code, call=f"GET {path}", advice=CHECK_URL) from None

    async def _answer(self, path: str, query: Mapping[str, Any]) -> httpx2.Response:
        pause = self._first_pause_seconds
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = await self._client.get(path, params=dict(query))
            except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
                raise LettaUnreachable(str(error), url=self.url) from None
            except httpx2.TransportError as error:
                if attempt == ATTEMPTS:
                    raise LettaUnreachable(f"{type(error).__name__} {error}".strip(), url=self.url) from None
            else:
                if response.status_code not in AGAIN or attempt == ATTEMPTS:
                    return response
            log.info("GET %s again in %.1f s", path, pause)
            await asyncio.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable")

    async def every(self, path: str, **query: Any) -> AsyncIterator[Json]:
        """All items of a list, the oldest first where the server obeys ``order``. Each id is given once."""
        seen: set[str] = set()
        after: str | None = None
        while True:
            cursor = {} if after is None else {"after": after}
            page = listed(await self.get(path, limit=PAGE, **query, **cursor), path)
            fresh = [item for item in page if item["id"] not in seen]
            # A message of several parts has one id and several items, all on one page.
            for item in fresh:
                # Thousands of numbers in each, of another model's making.
                item.pop("embedding", None)
                yield item
            seen.update(item["id"] for item in fresh)
            if not fresh:
                return
            after = str(fresh[-1]["id"])

    async def if_there(self, path: str, **query: Any) -> list[Json]:
        """The list, or none where the server does not have that route."""
        try:
            return [item async for item in self.every(path, **query)]
        except LettaRefused as error:
            if any(f"answered {status} " in error.cause for status in ABSENT):
                return []
            raise

    async def version(self) -> str:
        """The server's version."""
        answer: object = await self.get("/v1/health/")
        return str(cast("Json", answer).get("version", "unknown")) if isinstance(answer, dict) else "unknown"


def listed(answer: object, path: str) -> list[Json]:
    """The answer, if it is a list of objects with ids. Raises LettaRefused."""
    items = cast("list[object]", answer) if isinstance(answer, list) else [answer]
    if not isinstance(answer, list) or not all(isinstance(item, dict) and "id" in item for item in items):
        raise LettaRefused("no list of objects with ids", status=200, call=f"GET {path}", advice=CHECK_URL)
    return cast("list[Json]", items)
