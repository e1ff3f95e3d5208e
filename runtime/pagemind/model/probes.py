"""Questions by which a server shows what it can do beyond the plain wire. They cost it no generated token."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import TypeVar

from httpx2 import DecodingError
from openai import APIStatusError

from pagemind.errors import ReplyTooLong
from pagemind.model.served import Server
from pagemind.model.traits import Traits
from pagemind.model.wire import Dialect, Json

WORD = "well"
WORDS = 16
REASONING_FIELDS = ("reasoning", "reasoning_content")
"""Today's name at vLLM, and the one that it and others had before."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Thinking:
    """The field in which earlier thinking is sent back; None for none, which may be since the template drops it."""

    field: str | None = None
    dropped: bool = False


async def find_traits(server: Server, model: str, listed: Json, reply_field: str) -> Traits:
    """Ask a server what it can do; ``listed`` is the model's entry in its list.

    Raises what the client raises when it is down, never for what it lacks.
    """
    plain = Dialect(reply_field=reply_field)
    # Others tell a version too, or sign as vllm to please some client: both together are vLLM.
    version = await answered(server.version(), "") if listed.get("owned_by") == "vllm" else ""
    if not version:
        return Traits(plain, start=await answered(server.start(), ""), slots=await answered(server.slots(), None))
    extras = replace(plain, strict=True, priority=True, cache_salt=True)
    start = await answered(server.start(), "")
    if await answered(server.chat_tokens(model, [user()]), []):
        thinking = await thinking_of(server, model)
        apart = await prints_users_apart(server, model)
        extras = replace(extras, merges_users=not apart, reasoning_field=thinking.field)
        return Traits(extras, vllm=version, start=start, counts_chats=True, drops_thinking=thinking.dropped)
    return Traits(extras, vllm=version, start=start)


async def prints_users_apart(server: Server, model: str) -> bool:
    """Whether the chat template takes two users in a row, and prints each as it would print it alone.

    Then one user's tokens begin those of two, and what the second adds is how the first one ends. A template that puts both
    into one turn ends it elsewhere; one that demands that roles alternate refuses.
    """
    one = await answered(server.chat_tokens(model, [user()]), [])
    two = await answered(server.chat_tokens(model, [user(), user()]), [])
    added = two[len(one) :]
    return bool(added) and two[: len(one)] == one and one[-len(added) :] == added


async def thinking_of(server: Server, model: str) -> Thinking:
    """What the chat template does with thinking that is sent back.

    It is of use only if an earlier turn is printed as it was when it was the last one: otherwise the prompt's prefix stays put
    only if no thinking is sent back at all.
    """
    bare = await answered(server.chat_tokens(model, [user(), said(), user()]), [])
    bare_last = await answered(server.chat_tokens(model, [user(), said()]), [])
    dropped = False
    for field in REASONING_FIELDS:
        thought = said() | {field: " ".join([WORD] * WORDS)}
        last = await answered(server.chat_tokens(model, [user(), thought]), [])
        earlier = await answered(server.chat_tokens(model, [user(), thought, user()]), [])
        if last and earlier[: len(last)] == last and len(earlier) >= len(bare) + WORDS:
            return Thinking(field)
        dropped = dropped or len(last) >= len(bare_last) + WORDS
    return Thinking(None, dropped)


async def answered(question: Awaitable[Answer], otherwise: Answer) -> Answer:
    """The answer, or ``otherwise`` from a server that does not know the question. Raises what the client does if it is down."""
    try:
        return await question
    except (APIStatusError, DecodingError, ReplyTooLong, ValueError):
        return otherwise


def user() -> Json:
    """A user's message of one word."""
    return {"content": WORD, "role": "user"}


def said() -> Json:
    """An assistant's message of one word."""
    return {"content": WORD, "role": "assistant"}
