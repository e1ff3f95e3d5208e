"""Calls: judged all together before any of them runs, then run one by one within time and length."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from pydantic_core import to_jsonable_python

from pagemind.errors import StoreError, ToolRefusal
from pagemind.records import CallRequest
from pagemind.records.text import clean_text
from pagemind.toolbox.arguments import BadArguments, checked_arguments, names_like
from pagemind.toolbox.registry import Registry, ToolSpec
from pagemind.toolbox.schemas import KEY_PARAMETER
from pagemind.toolbox.syscalls import Syscalls
from pagemind.toolbox.threads import in_thread

CALLS_LIMIT = 32
FAULTS_SHOWN = 5
FAILURE_CHARS = 500

log = logging.getLogger(__name__)

Tools = Registry | Mapping[str, ToolSpec]
"""Tools by name."""


@dataclass(frozen=True)
class ReadyCall:
    """A call that may run: its arguments are checked and clean."""

    request: CallRequest
    spec: ToolSpec
    arguments: dict[str, Any]


@dataclass(frozen=True)
class MalformedCalls:
    """None of the reply's calls may run; ``reason`` is for the model, with what to do instead."""

    reason: str


@dataclass(frozen=True)
class CallResult:
    """What a call gave back, as the model reads it; ``status`` is ``ok`` or ``error``.

    The engine adds ``effect``, and of searches ``recalled``, ``missed`` and ``notes`` (see ``events.ToolReturned``).
    """

    text: str
    status: str = "ok"
    effect: str = ""
    recalled: tuple[dict[str, Any], ...] = field(default=())
    missed: tuple[dict[str, Any], ...] = field(default=())
    notes: tuple[str, ...] = ()
    milliseconds: float = 0.0


def validate(requests: Sequence[CallRequest], registry: Tools, allowed: Sequence[str]) -> list[ReadyCall] | MalformedCalls:
    """Check all calls of one reply against the tools that this agent may use. One malformed call stops them all."""
    if len(requests) > CALLS_LIMIT:
        return MalformedCalls(f"it has {len(requests)} tool calls and at most {CALLS_LIMIT} may run at once. Make fewer calls.")
    ready: list[ReadyCall] = []
    faults: list[str] = []
    seen: set[str] = set()
    for number, request in enumerate(requests, start=1):
        try:
            _check_id(request.id, seen)
            spec = _allowed_tool(request.name, registry, allowed)
            ready.append(ReadyCall(request, spec, checked_arguments(spec.name, spec.arguments, request.arguments)))
        except BadArguments as fault:
            faults.append(f"call {number}: {fault}" if len(requests) > 1 else str(fault))
    if not faults:
        return ready
    more = f" And {len(faults) - FAULTS_SHOWN} more." if len(faults) > FAULTS_SHOWN else ""
    nothing_ran = " None of the calls was run." if len(requests) > 1 else ""
    return MalformedCalls(" ".join(faults[:FAULTS_SHOWN]) + more + nothing_ran)


async def run_call(ready: ReadyCall, syscalls: Syscalls, *, key: str, timeout_seconds: float, limit_chars: int) -> CallResult:
    """Run one call. Refusals, time-outs and failures come back as text for the model; StoreError and BaseException pass.

    A synchronous tool runs in a thread, which nothing can stop: after a time-out it goes on unseen, and its result is lost.
    """
    started, timer = perf_counter(), asyncio.timeout(timeout_seconds)
    status = "error"
    try:
        async with timer:
            result = await _called(ready, syscalls, key)
            text, status = (result.text, result.status) if isinstance(result, CallResult) else (_as_text(result), "ok")
    except ToolRefusal as refusal:
        text = refusal.for_model()
    except StoreError:
        raise
    except (Exception, SystemExit) as error:  # the tool boundary: a tool of the user's may fail in any way, or call exit()
        if isinstance(error, TimeoutError) and timer.expired():
            text = _timed_out(ready.spec, timeout_seconds)
        else:
            log.warning("the tool %s failed", ready.spec.name, exc_info=True)
            text = _failure(error)
    return CallResult(cut_middle(clean_text(text), limit_chars), status, milliseconds=(perf_counter() - started) * 1000)


def cut_middle(text: str, limit_chars: int) -> str:
    """The text, or its two ends with a line between them that says how much was left out; at most ``limit_chars`` long."""
    if len(text) <= limit_chars:
        return text
    room = max(0, limit_chars - len(_gap(len(text))))
    head, tail = room - room // 3, room // 3
    return (text[:head] + _gap(len(text) - room) + text[len(text) - tail :])[:limit_chars]


def _gap(left_out: int) -> str:
    return f"\n[... {left_out} characters left out. Ask for less: a narrower query, fewer results or a smaller part. ...]\n"


def _check_id(given: str, seen: set[str]) -> None:
    if not given:
        raise BadArguments("the call has no id. Give each call an id of its own.")
    if given in seen:
        raise BadArguments(f"the id {given!r} is used twice. Give each call an id of its own.")
    seen.add(given)


def _allowed_tool(name: str, registry: Tools, allowed: Sequence[str]) -> ToolSpec:
    usable = [each for each in allowed if each in registry]
    if not name:
        raise BadArguments(f"the call names no tool. Use one of: {', '.join(usable) or 'none, answer in words'}.")
    if name in usable:
        return registry[name]
    what = "is not one of your tools" if name in registry else "does not exist"
    raise BadArguments(f"the tool {name[:100]!r} {what}. {names_like(name, usable, none='answer in words')}")


async def _called(ready: ReadyCall, syscalls: Syscalls, key: str) -> object:
    """The tool's own result; what is hidden from the model is filled in here."""
    spec, filled = ready.spec, dict(ready.arguments)
    if spec.arguments.system:
        filled[spec.arguments.system] = syscalls
    if spec.arguments.takes_key:
        filled[KEY_PARAMETER] = key
    if inspect.iscoroutinefunction(spec.function):
        return await spec.function(**filled)
    result = await in_thread(lambda: spec.function(**filled))
    return await result if inspect.isawaitable(result) else result


def _as_text(result: object) -> str:
    if result is None:
        return "Done."
    if isinstance(result, str):
        return result
    plain = to_jsonable_python(result, fallback=str, bytes_mode="base64")
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)


def _timed_out(spec: ToolSpec, seconds: float) -> str:
    advice = "Try something smaller."
    if spec.effect != "transactional":
        advice = "It may or may not have taken effect: check before you call it again."
    return f"{spec.name} did not finish within {seconds:g} s. {advice}"


def _failure(error: BaseException) -> str:
    message = " ".join(str(error).split()) or "no message"
    return f"The tool failed: {type(error).__name__}: {message}"[:FAILURE_CHARS]
