"""An MCP server for the tests, made with the package ``mcp``: ``python mcp_programs.py stdio|sse|streamable-http [PORT]``.

Over HTTP it asks for ``Authorization: Bearer sesame`` and, at ``/elsewhere``, sends its callers to another place.
"""

from __future__ import annotations

import asyncio
import os
import sys

import uvicorn
from mcp.server.mcpserver import MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

server = MCPServer("playground")


@server.tool()
def add(a: int, b: int = 2) -> str:
    """Add two numbers."""
    return str(a + b)


@server.tool()
def environment(name: str) -> str:
    """An environment variable of the server."""
    return os.environ.get(name, "-")


@server.tool(name="odd.name/with:signs")
def odd() -> str:
    """A tool whose name no model can say."""
    return "odd"


@server.tool()
def memory_insert(text: str) -> str:
    """A tool that is named like one of the runtime's."""
    return f"remote {text}"


@server.tool()
def fail() -> str:
    """A tool that fails."""
    raise ValueError("nothing works today")


@server.tool()
async def slow(seconds: float) -> str:
    """A tool that takes its time."""
    await asyncio.sleep(seconds)
    return "done"


@server.tool()
def process() -> str:
    """Which process this is."""
    return str(os.getpid())


@server.tool()
def grow() -> str:
    """Offer one tool more, and no longer the tool ``fail``."""
    server.add_tool(add, name="grown")
    server.remove_tool("fail")
    return "grown"


class Locked:
    """Lets in who has the word."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, answer = Request(scope), None
        if request.url.path == "/elsewhere":
            answer = RedirectResponse("http://127.0.0.1:9/mcp", 307)
        elif request.url.path == "/endless":
            answer = JSONResponse({"jsonrpc": "2.0", "id": 1, "result": {"x": "y" * 8_000_000}})
        elif request.headers.get("authorization") != "Bearer sesame":
            answer = Response("who are you?", 401)
        await (answer or self._app)(scope, receive, send)


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        app = server.sse_app() if sys.argv[1] == "sse" else server.streamable_http_app()
        uvicorn.run(Locked(app), host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
