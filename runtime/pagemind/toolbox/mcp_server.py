"""What an MCP server is to its caller: where it is, what it offers, what a call of it gave back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pagemind.records import Json

QUERY = re.compile(r"\?[^\s'\"]*")
WORDS_LIMIT_CHARS = 500


@dataclass(frozen=True)
class McpAddress:
    """A server that is asked at ``url``, or, of the kind ``stdio``, started as a command. Headers and ``env`` are secret."""

    name: str
    kind: str
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    command: str = ""
    args: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @classmethod
    def of(cls, name: str, kind: str, config: Json) -> McpAddress:
        """The address that a server's stored configuration tells."""
        headers: dict[str, str] = dict(config.get("custom_headers") or {})
        token = config.get("auth_token")
        if token:
            header = config.get("auth_header")
            bearer = token if token.lower().startswith("bearer ") else f"Bearer {token}"
            headers[header or "Authorization"] = token if header else bearer
        return cls(
            name=name,
            kind=kind,
            url=config.get("server_url") or "",
            headers=headers,
            command=config.get("command") or "",
            args=tuple(config.get("args") or ()),
            env=dict(config.get("env") or {}),
        )

    def without_secrets(self, words: str) -> str:
        """The words in one line of bounded length, without what authorises us and without the queries of addresses."""
        user = urlsplit(self.url).netloc.rpartition("@")[0] if self.url else ""
        for secret in sorted({*self.headers.values(), *self.env.values(), user}, key=len, reverse=True):
            for part in (secret, secret.rpartition(" ")[2]):
                words = words.replace(part, "***") if len(part) > 3 else words
        return " ".join(QUERY.sub("?***", words).split())[:WORDS_LIMIT_CHARS]


@dataclass(frozen=True)
class McpTool:
    """A tool that a server offers."""

    name: str
    description: str
    parameters: Json


@dataclass(frozen=True)
class McpResult:
    """What a call gave back: the texts of its content, and its structured content where it has one."""

    ok: bool
    text: str
    structured: Any = None

    @classmethod
    def of(cls, content: list[Json], structured: Any, *, is_error: bool) -> McpResult:
        """The result of these parts of content; what is no text stands as JSON, without its bytes."""
        texts = [
            str(part.get("text", "")) if part.get("type") == "text" else json.dumps(without_bytes(part), ensure_ascii=False)
            for part in content
        ]
        return cls(not is_error, "\n".join(texts), structured)


def without_bytes(part: Json) -> Json:
    """The part, its image or sound left out."""
    return {key: f"[{len(value)} characters of base64]" if key == "data" else value for key, value in part.items()}
