"""The ``@tool`` decorator: it marks a function and changes nothing about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar, overload

Effect = Literal["transactional", "idempotent", "at_most_once"]
"""What repeating a call would do: ``transactional`` acts only through Syscalls and commits with the step; ``idempotent`` acts
outside and may be repeated with the same key; ``at_most_once`` acts outside and is never silently repeated (contract D4)."""

AnyFunction = Callable[..., Any]
Marked = TypeVar("Marked", bound=AnyFunction)
MARK = "__pagemind_effect__"


@overload
def tool(function: Marked, /) -> Marked: ...
@overload
def tool(*, effect: Effect = "at_most_once") -> Callable[[Marked], Marked]: ...
def tool(function: AnyFunction | None = None, /, *, effect: Effect = "at_most_once") -> AnyFunction:
    """Mark a function as a tool, bare or as ``@tool(effect="transactional")``. Without an effect it is ``at_most_once``."""

    def mark(marked: AnyFunction) -> AnyFunction:
        setattr(marked, MARK, effect)
        return marked

    return mark if function is None else mark(function)


def effect_of(function: AnyFunction) -> Effect | None:
    """The effect a function was marked with; None where it is not marked."""
    return getattr(function, MARK, None)
