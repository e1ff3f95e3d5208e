"""What both of OpenAI's ways to talk to an agent have in common: sampling, the caller's tools, accepting a request once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from pagemind.api.here import Here
from pagemind.api.openai.content import Bounded
from pagemind.engine.accept import REJOIN_SECONDS
from pagemind.records import Input, Json, Request, Run

LEAST_REPLY_TOKENS = 16
ANY_ARGUMENTS: Json = {"type": "object", "properties": {}}


class Sampling(BaseModel):
    """How the model is asked."""

    temperature: float | None = Field(default=None, ge=0, le=2)

    def overrides(self, reply_tokens: int | None) -> Json:
        """The keys of a definition's ``model`` section that this request sets."""
        given = {
            "temperature": self.temperature,
            "max_reply_tokens": None if reply_tokens is None else max(LEAST_REPLY_TOKENS, reply_tokens),
        }
        return {key: value for key, value in given.items() if value is not None}


class OwnTool(BaseModel):
    """A function that the caller runs."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = Field(default=None, max_length=10_000)
    parameters: Bounded | None = None


def own_tools(tools: Sequence[OwnTool], choice: Any) -> tuple[Json, ...]:
    """The caller's tools for the run; none where it chose so."""
    if choice == "none":
        return ()
    return tuple(
        {"name": each.name, "description": each.description or "", "parameters": each.parameters or ANY_ARGUMENTS}
        for each in tools
    )


@dataclass(frozen=True)
class Once:
    """What tells a repeated request from a second one: the caller's key, or the client's word that it tries again."""

    key: str | None
    retried: bool


async def accepted(
    here: Here,
    conversation_id: UUID,
    inputs: Sequence[Input],
    request: Request,
    once: Once,
    *,
    sender: str | None,
    kept: Json | None = None,
) -> Run:
    """Take the request in, once: a repeated one joins the run of the first. ``kept`` is given back with the run."""
    said = [replace(each, sender=sender) for each in inputs]
    return await here.runtime.accept(
        conversation_id,
        said,
        request=request,
        idempotency_key=once.key,
        extra=kept,
        rejoin_seconds=REJOIN_SECONDS if once.retried else 0.0,
    )
