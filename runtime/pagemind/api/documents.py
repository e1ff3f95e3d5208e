"""``/docs``: the endpoints on one plain page, without anything from elsewhere. ``/openapi.json`` is the whole description."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

router = APIRouter(include_in_schema=False)

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Pagemind</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
td {{ padding: .1rem .8rem .1rem 0; vertical-align: top; }} td:first-child {{ font-weight: 600; }} code {{ font-size: 14px; }}
</style></head><body><h1>Pagemind {version}</h1>
<p>{about} The whole description, for programs: <a href="/openapi.json"><code>/openapi.json</code></a>.</p>
{groups}</body></html>"""


@router.get("/")
async def root() -> RedirectResponse:
    """To the page."""
    return RedirectResponse("/docs")


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The page."""
    return HTMLResponse(await asyncio.to_thread(lambda: page(request.app.state.describe())))


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The whole description. Making it takes a second, during which others are to be answered."""
    body = await asyncio.to_thread(lambda: json.dumps(request.app.state.describe()))
    return Response(body, media_type="application/json")


def page(description: dict[str, Any]) -> str:
    """The page of an OpenAPI description."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path, methods in description["paths"].items():
        for method, what in methods.items():
            row = f"<tr><td>{method.upper()}</td><td><code>{escape(path)}</code></td><td>{escape(first_line(what))}</td></tr>"
            groups[(what.get("tags") or ["other"])[0]].append(row)
    tables = "".join(f"<h2>{escape(name)}</h2><table>{''.join(rows)}</table>\n" for name, rows in groups.items())
    info = description["info"]
    return PAGE.format(version=escape(info["version"]), about=escape(info["description"]), groups=tables)


def first_line(what: dict[str, Any]) -> str:
    """What an endpoint does, in a sentence."""
    return str(what.get("description") or what.get("summary") or "").split("\n", 1)[0]
