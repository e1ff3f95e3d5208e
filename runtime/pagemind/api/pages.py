"""Pages of lists: ``before``, ``after``, ``limit``, ``order``, as every list of the wire takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query

from pagemind.api.ids import record_id
from pagemind.api.problems import not_found
from pagemind.store.keyset import Slice

Order = Literal["asc", "desc"]
LIMIT_MOST = 1000


def paged(prefix: str, *, limit: int = 50, order: Order = "desc") -> Callable[..., Slice]:
    """A dependency that reads the page asked for; ``prefix`` is that of the listed ids, the rest are the defaults.

    ``after`` and ``before`` follow the requested order: after is the next page.
    """
    default_limit, default_order = limit, order

    def page(
        before: Annotated[str | None, Query(max_length=100)] = None,
        after: Annotated[str | None, Query(max_length=100)] = None,
        limit: Annotated[int | None, Query(ge=0, le=LIMIT_MOST)] = default_limit,
        order: Annotated[Order | None, Query()] = default_order,
        order_by: Annotated[str | None, Query(max_length=50)] = "created_at",
    ) -> Slice:
        return Slice(
            limit=LIMIT_MOST if limit is None else limit,
            before=cursor(prefix, before),
            after=cursor(prefix, after),
            descending=(order or default_order) == "desc",
        )

    return page


def cursor(prefix: str, text: str | None) -> UUID | None:
    """The record that a page begins behind; 404 where it cannot be one: a cursor that is ignored would page for ever."""
    if not text:
        return None
    try:
        return record_id(prefix, text)
    except ValueError:
        raise not_found(prefix, text) from None
