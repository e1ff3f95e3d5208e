"""Who calls, and where: what each route gets of the server."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from pagemind.engine.runtime import Runtime
from pagemind.records import Scope
from pagemind.settings import Settings
from pagemind.store.database import AsyncSession

KEY = "pagemind_here"
"""Where the request's scope has it, put there by whatever checked the caller."""


@dataclass(frozen=True)
class Here:
    """The runtime of the caller's tenant, and what the caller may do there."""

    runtime: Runtime
    scopes: frozenset[Scope]
    author: str = "person:api"
    """Who stands in the history of what the caller changes."""
    is_operator: bool = False
    """Whether the caller runs the server, and may see what is of no tenant."""

    @property
    def tenant_id(self) -> UUID:
        """The caller's tenant."""
        return self.runtime.kernel.database.tenant_id

    @property
    def settings(self) -> Settings:
        """The configuration."""
        return self.runtime.settings

    def transaction(self) -> AbstractAsyncContextManager[AsyncSession]:
        """One transaction on the tenant's rows."""
        return self.runtime.kernel.database.transaction()


async def here(request: Request) -> Here:
    """The caller, as the guard found it. A coroutine, since what is none goes through a thread."""
    found: Here = request.scope[KEY]
    return found


Caller = Annotated[Here, Depends(here)]
