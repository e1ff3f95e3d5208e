"""The wire to an MCP server, by the package ``mcp``, which is an extra: ``mcp_sessions`` loads this module when it must."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT

from pagemind.records import Json
from pagemind.toolbox.mcp_server import McpAddress, McpResult, McpTool

RESPONSE_LIMIT_BYTES = 4_000_000
EVENT_LIMIT_BYTES = 2_000_000
SILENCE_SECONDS = 300.0
HTTP_SECONDS = 15.0
MOST_PAGES = 50
MOST_TOOLS = 1000
TERMINATED = "Session terminated"
"""What the package says where a server knows the session no longer: it restarted, and has not run the call."""


class Wire:
    """An open session with a server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def tools(self) -> list[McpTool]:
        """The tools that it offers, at most ``MOST_TOOLS``."""
        found: list[McpTool] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = await self._client.list_tools(cursor=cursor)
            found += [McpTool(each.name, each.description or "", each.input_schema) for each in page.tools]
            cursor = page.next_cursor
            if cursor is None or len(found) >= MOST_TOOLS:
                break
        return found[:MOST_TOOLS]

    async def call(self, name: str, arguments: Json, seconds: float) -> McpResult:
        """Call a tool. Raises MCPError."""
        result = await self._client.call_tool(name, arguments, read_timeout_seconds=seconds)
        content: list[Json] = [part.model_dump(mode="json", by_alias=True, exclude_none=True) for part in result.content]
        return McpResult.of(content, result.structured_content, is_error=bool(result.is_error))


def is_timeout(error: BaseException) -> bool:
    """Whether the error says that the time was up."""
    return isinstance(error, TimeoutError) or (isinstance(error, MCPError) and error.code == REQUEST_TIMEOUT)


def answer_in(error: BaseException) -> str | None:
    """What the server answered, where the error is an answer of its and the session goes on; else None."""
    if not isinstance(error, MCPError) or error.code == CONNECTION_CLOSED or error.message == TERMINATED:
        return None
    return error.message


@asynccontextmanager
async def opened(address: McpAddress) -> AsyncGenerator[Wire]:
    """A session with the server until the block ends."""
    match address.kind:
        case "stdio":
            with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: ASYNC230 - it has nothing to wait for
                parameters = StdioServerParameters(command=address.command, args=list(address.args), env=dict(address.env))
                async with Client(stdio_client(parameters, errlog=nowhere), cache=None) as client:
                    yield Wire(client)
        case "sse":
            transport = sse_client(
                address.url,
                headers=dict(address.headers),
                timeout=HTTP_SECONDS,
                sse_read_timeout=SILENCE_SECONDS,
                httpx_client_factory=http_client,
            )
            async with Client(transport, cache=None) as client:
                yield Wire(client)
        case _:
            async with (
                http_client(headers=dict(address.headers)) as http,
                Client(
                    streamable_http_client(address.url, http_client=http, max_sse_event_size=EVENT_LIMIT_BYTES), cache=None
                ) as client,
            ):
                yield Wire(client)


def http_client(
    headers: dict[str, str] | None = None, timeout: httpx2.Timeout | None = None, auth: httpx2.Auth | None = None
) -> httpx2.AsyncClient:
    """An HTTP client that follows no redirect and takes no endless answer."""
    return httpx2.AsyncClient(
        headers=headers,
        timeout=timeout or httpx2.Timeout(HTTP_SECONDS, read=SILENCE_SECONDS),
        auth=auth,
        transport=BoundedTransport(),
        follow_redirects=False,
    )


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """Answers of bounded length; streams of events have a bound of their own for each event."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, whose body fails beyond the limit."""
        response = await super().handle_async_request(request)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = BoundedStream(response.stream)
        return response


class BoundedStream(httpx2.AsyncByteStream):
    """A body of bounded length."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > RESPONSE_LIMIT_BYTES:
                raise httpx2.ReadError(f"the answer has more than {RESPONSE_LIMIT_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._stream.aclose()
