"""Which scope a request needs: one table for all routes."""

from __future__ import annotations

import re

from pagemind.records import Scope

READS = frozenset({"GET", "HEAD", "OPTIONS"})
ID = "[^/]+"
ALSO_READ = re.compile(
    rf"""
      /v1/(messages|passages|tools)/search          # they only look, but send what they look for in a body
    | /v1/agents/messages/search
    | /v1/runs/{ID}/stream
    | /v1/conversations/{ID}/stream
    """,
    re.VERBOSE,
)
TALK = re.compile(
    rf"""
      /v1/agents/{ID}/(messages(/(async|stream|cancel|preview-raw-payload))?|generate|summarize)
    | /v1/conversations(/{ID}(/(messages(/preview-raw-payload)?|cancel|compact|fork|recompile))?)?
    | /v1/(messages|runs|jobs)(/.*)?
    | /v1/steps/{ID}/feedback
    | /v1/(chat/completions|responses|embeddings)(/.*)?
    """,
    re.VERBOSE,
)

CONTAINED = {
    Scope.read: frozenset({Scope.read}),
    Scope.chat: frozenset({Scope.read, Scope.chat}),
    Scope.admin: frozenset({Scope.read, Scope.chat, Scope.admin}),
    Scope.tenant: frozenset(Scope),
}


def needed(method: str, path: str) -> Scope:
    """The scope that a request needs; the path is in its one form. Whatever is not named here needs ``admin``."""
    if method in READS or ALSO_READ.fullmatch(path):
        return Scope.read
    return Scope.chat if TALK.fullmatch(path) else Scope.admin


def held(scopes: frozenset[Scope]) -> frozenset[Scope]:
    """The scopes with those that they contain."""
    return frozenset[Scope]().union(*(CONTAINED[scope] for scope in scopes))
