"""Whether the server lives, whether it can work, and what it has done."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from pagemind import __version__
from pagemind.api.here import Caller, Here
from pagemind.api.http_metrics import HttpMetrics
from pagemind.api.problems import Problem
from pagemind.engine.metrics import all_metrics_text, process_metrics_text
from pagemind.errors import StoreError

router = APIRouter(tags=["health"])

ANSWER_SECONDS = 5.0
SCRAPE_SECONDS = 10.0
"""Totals that are not older are told again: they read every row."""
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/v1/health")
async def health() -> dict[str, str]:
    """Liveness, as Letta's clients ask for it."""
    return {"version": __version__, "status": "ok"}


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Whether the process answers: it does. What fails this is to be started again."""
    return {"status": "ok"}


@router.get("/v1/ready", responses={503: {"description": "Something is missing."}})
@router.get("/readyz", responses={503: {"description": "Something is missing."}})
async def ready(here: Caller) -> JSONResponse:
    """Whether it can work: 503 with what is missing. What fails this should be sent no requests for now."""
    missing = await what_is_missing(here)
    if missing:
        headers = {"Retry-After": "2"}
        return JSONResponse({"version": __version__, "status": "unavailable", "missing": missing}, 503, headers)
    return JSONResponse({"version": __version__, "status": "ok"})


async def what_is_missing(here: Here) -> list[str]:
    """What the server needs and does not have."""
    missing: list[str] = []
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await here.runtime.kernel.database.ping()
    except (StoreError, TimeoutError):
        missing.append("the store does not answer")
    if not here.runtime.reasoner.model:
        missing.append("there is no reasoner")
    return missing


class Scraped:
    """The totals of the store, as they were a moment ago."""

    def __init__(self) -> None:
        self.text = ""
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def refresh(self, here: Here) -> str:
        """The totals, read anew if they are too old. Raises StoreError."""
        async with self._reading:
            if time.monotonic() - self._read_at > SCRAPE_SECONDS:
                self.text = await all_metrics_text(here.runtime.kernel.database)
                self._read_at = time.monotonic()
            return self.text


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request, here: Caller) -> PlainTextResponse:
    """Everything that is counted, for Prometheus: totals of the store, and what this process has answered.

    For the operator only: a key of scope ``admin`` of the operator's own tenant, where keys are needed.
    """
    if not here.is_operator:
        raise Problem(HTTPStatus.FORBIDDEN, "Metrics are the operator's: they are of all tenants.")
    scraped: Scraped = request.app.state.scraped
    counted: HttpMetrics = request.app.state.metrics
    totals = await scraped.refresh(here)
    kernel = here.runtime.kernel
    text = totals + counted.text() + process_metrics_text(kernel.database, kernel.second_stage)
    return PlainTextResponse(text, media_type=PROMETHEUS)
