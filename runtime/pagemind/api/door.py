"""The door: who asks, by key, and whether they may. Without any key everybody on this machine is the operator."""

from __future__ import annotations

import logging
from collections import Counter
from http import HTTPStatus
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from pagemind.api.answers import UNAUTHORIZED, answer, too_many
from pagemind.api.here import KEY, Here
from pagemind.api.problems import Problem, problem_of
from pagemind.api.scopes import held, needed
from pagemind.engine.keys import PREFIX, Holder, Keyring
from pagemind.engine.tenancies import Tenancies
from pagemind.errors import PagemindError
from pagemind.records import Scope as KeyScope
from pagemind.settings import Settings

log = logging.getLogger(__name__)

OPEN = frozenset({"/v1/health", "/v1/ready", "/livez", "/readyz"})
"""What needs no key."""
BARE = "password "
"""How older clients of Letta begin a key in ``X-BARE-PASSWORD``."""
EVERYTHING = frozenset(KeyScope)


class Door:
    """Finds the caller's tenant and scopes, and puts `Here` into the request's scope."""

    def __init__(self, app: ASGIApp, tenancies: Tenancies, settings: Settings, *, always_locked: bool = False) -> None:
        self._app = app
        self._tenancies = tenancies
        self._keyring = Keyring(tenancies.operator.kernel.database)
        self._most = settings.serve_tenant_requests
        self._always_locked = always_locked
        self._busy: Counter[UUID] = Counter()
        self._operator = Here(tenancies.operator, EVERYTHING, is_operator=True)
        self._nobody = Here(tenancies.operator, frozenset())
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or answer why not."""
        if scope["path"] in OPEN:
            scope[KEY] = self._nobody
            return await self._app(scope, receive, send)
        try:
            holder = await self._holder(scope)
            if isinstance(holder, Problem):
                return await answer(send, holder)
            if holder is None:
                scope[KEY] = self._operator
                return await self._app(scope, receive, send)
            return await self._enter(holder, scope, receive, send)
        except PagemindError as error:
            if KEY in scope:
                raise
            return await answer(send, problem_of(error))

    async def _holder(self, scope: Scope) -> Holder | Problem | None:
        """Whose key it is; None for the operator without one; the problem where there is one."""
        text = self._key_in(scope)
        if text is None or not text.startswith(PREFIX):
            return UNAUTHORIZED if self._always_locked or await self._keyring.locked() else None
        holder = await self._keyring.holder(text)
        if holder is None:
            return UNAUTHORIZED
        scope_needed = needed(scope["method"], scope["path"])
        if scope_needed not in held(holder.scopes):
            return Problem(HTTPStatus.FORBIDDEN, f"This key lacks the scope {scope_needed.value!r}, which this request needs.")
        return holder

    async def _enter(self, holder: Holder, scope: Scope, receive: Receive, send: Send) -> None:
        if self._busy[holder.tenant_id] >= self._most:
            return await answer(send, too_many("Too many requests of this tenant are being answered."))
        self._busy[holder.tenant_id] += 1
        try:
            async with self._tenancies.enter(holder.tenant_id) as runtime:
                scopes = held(holder.scopes)
                is_operator = runtime is self._tenancies.operator and KeyScope.admin in scopes
                scope[KEY] = Here(runtime, scopes, author(holder), is_operator=is_operator)
                await self._app(scope, receive, send)
        finally:
            self._busy[holder.tenant_id] -= 1
            if not self._busy[holder.tenant_id]:
                del self._busy[holder.tenant_id]

    def _key_in(self, scope: Scope) -> str | None:
        """The key that was sent. Nothing else that is sent can choose a tenant."""
        found: str | None = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                kind, _, rest = value.decode("latin-1").partition(" ")
                found = rest.strip() if kind.lower() == "bearer" else found
            elif name == b"x-bare-password" and found is None:
                found = value.decode("latin-1").removeprefix(BARE).strip()
            elif name == b"user_id" and not self._warned:
                self._warned = True
                log.warning("a client sends the header user_id, which is ignored: the tenant is the key's")
        return found


def author(holder: Holder) -> str:
    """Who stands in the history of what the holder of a key changes."""
    return f"key:{holder.name or holder.key_id}"
