"""MCP servers as they come and as they are shown: what authorises us is taken in and never given back."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field

from pagemind.api.ids import wire_id
from pagemind.api.values import Name, cleaned
from pagemind.records import Json, McpServer

HIDDEN = "********"
"""Stands for a secret that is there; sent back, it means the one that is there."""
SECRETS = ("auth_token",)
SECRET_MAPS = ("custom_headers", "env")
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
OURS = {"host", "content-length", "transfer-encoding", "connection"}


def http_address(text: str) -> str:
    """The address, if it is one of the web."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ValueError("server_url must be an address that starts with 'http://' or 'https://'")
    _ = parts.port
    return text


def header_name(name: str) -> str:
    """The name, if a header may have it."""
    if not HEADER.fullmatch(name) or name.lower() in OURS:
        raise ValueError("is no name of a header that can be set")
    return name


def header_value(value: str) -> str:
    """The value, if a header may have it."""
    if not value.isascii() or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
        raise ValueError("has characters that a header cannot have")
    return value


Url = Annotated[str, Field(max_length=2000), AfterValidator(http_address)]
Header = Annotated[str, Field(max_length=200), AfterValidator(header_name)]
HeaderValue = Annotated[str, Field(max_length=10_000), AfterValidator(header_value)]
Argument = Annotated[str, Field(max_length=10_000), AfterValidator(cleaned)]


class HttpConfig(BaseModel):
    """A server that is asked over HTTP."""

    server_url: Url | None = None
    auth_header: Header | None = None
    auth_token: HeaderValue | None = None
    custom_headers: Annotated[dict[Header, HeaderValue], Field(max_length=50)] | None = None


class SseConfig(HttpConfig):
    """By the older way, a stream of events beside posted messages."""

    mcp_server_type: Literal["sse"] = "sse"


class StreamableConfig(HttpConfig):
    """By streamable HTTP."""

    mcp_server_type: Literal["streamable_http"] = "streamable_http"


class StdioConfig(BaseModel):
    """A server that is started as a command on this machine, where the operator allows it."""

    mcp_server_type: Literal["stdio"] = "stdio"
    command: Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(cleaned)] | None = None
    args: Annotated[list[Argument], Field(max_length=200)] | None = None
    env: Annotated[dict[Name, Argument], Field(max_length=200)] | None = None


Config = Annotated[StdioConfig | SseConfig | StreamableConfig, Field(discriminator="mcp_server_type")]
ServerName = Annotated[Name, Field(max_length=200)]


class McpServerCreate(BaseModel):
    """A server to register."""

    server_name: ServerName
    config: Config


class McpServerUpdate(BaseModel):
    """What to change of a server."""

    server_name: ServerName | None = None
    config: Config


def lacking(config: Json, kind: str) -> str | None:
    """The field that a server of that kind cannot do without and does not have."""
    needed = "command" if kind == "stdio" else "server_url"
    return None if config.get(needed) else needed


def merged(standing: Json, asked: BaseModel) -> Json:
    """The configuration after a change: what was not given stays, and so does a secret that came back hidden."""
    given = asked.model_dump(exclude_unset=True, exclude={"mcp_server_type"})
    if origin(given.get("server_url")) != origin(standing.get("server_url")) and given.get("server_url"):
        # A secret goes to the server that it was given for, and not to another that somebody has put in its place.
        standing = {key: value for key, value in standing.items() if key not in (*SECRETS, *SECRET_MAPS)}
    for name in SECRETS:
        if given.get(name) == HIDDEN:
            given[name] = standing.get(name)
    for name in SECRET_MAPS:
        if given.get(name):
            before: Json = standing.get(name) or {}
            given[name] = {key: before.get(key, "") if value == HIDDEN else value for key, value in given[name].items()}
    return {**standing, **given}


def origin(url: str | None) -> tuple[str, str]:
    """Whose address it is."""
    parts = urlsplit(url or "")
    return parts.scheme, parts.netloc


def server_json(server: McpServer) -> dict[str, Any]:
    """A server on the wire, its secrets hidden."""
    config = server.config
    shown: Json = {"mcp_server_type": server.kind}
    if server.kind == "stdio":
        shown |= {"command": config.get("command") or "", "args": config.get("args") or [], "env": hidden(config.get("env"))}
    else:
        shown |= {
            "server_url": config.get("server_url") or "",
            "auth_header": config.get("auth_header"),
            "auth_token": HIDDEN if config.get("auth_token") else None,
            "custom_headers": hidden(config.get("custom_headers")),
        }
    return {**shown, "id": wire_id("mcp_server", server.id), "server_name": server.name}


def hidden(values: Json | None) -> Json | None:
    """The names, without what they stand for."""
    return None if values is None else dict.fromkeys(values, HIDDEN)
