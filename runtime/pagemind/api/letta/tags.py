"""``/v1/tags``: the tags of all agents."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from pagemind.api.here import Caller
from pagemind.api.pages import LIMIT_MOST, Order
from pagemind.store import agent_lists
from pagemind.store.keyset import Slice

router = APIRouter(tags=["tags"])

Cursor = Annotated[str | None, Query(max_length=500)]


@router.get("/v1/tags")
async def list_tags(
    here: Caller,
    before: Cursor = None,
    after: Cursor = None,
    limit: Annotated[int | None, Query(ge=0, le=LIMIT_MOST)] = 50,
    order: Order | None = "asc",
    query_text: Cursor = None,
    name: Cursor = None,
) -> list[str]:
    """The tags, each once, by name; pages begin behind a tag. ``query_text``, or ``name``, stands somewhere in each."""
    page = Slice(limit=LIMIT_MOST if limit is None else limit, descending=order == "desc")
    async with here.transaction() as session:
        return await agent_lists.tags(session, page, after=after, before=before, text=query_text or name)
