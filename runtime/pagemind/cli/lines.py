"""What a run does beside talking, in one line each: tools, paging, retries, failures. Pure: events in, words out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from pagemind.cli.text import counted, one_line
from pagemind.errors import PagemindError
from pagemind.events import CallsMalformed, Compacted, Event, RetryScheduled, RunEnded, RunStarted, StepEnded, ToolReturned

BUDGET_STATUS = 5
INTERRUPTED_STATUS = 130
_EDITS_MEMORY = ("core_memory_", "memory_")
_BUDGETS = {
    "max_steps": "its limit of steps",
    "max_seconds": "its limit of time",
    "max_tokens": "its limit of tokens",
    "window_full": "the end of its context window",
}
CAUSES = {
    "full": "the window was full",
    "early": "the window was nearly full",
    "asked": "somebody asked for it",
    "notices": "notices of edits took too much room",
    "definition": "instructions or tools changed",
    "idle": "the cache was probably cold",
    "server": "another server answers now",
}
"""Why an epoch began, by `records.Cause`."""


@dataclass(frozen=True)
class Line:
    """One line about a run: ``mark`` stands before it on a terminal, ``plain_mark`` elsewhere; ``style`` is rich's."""

    mark: str
    plain_mark: str
    text: str
    style: str = "dim"


def line_of(event: Event) -> Line | None:
    """The line that tells of the event; None where it has none."""
    match event:
        case ToolReturned():
            return _tool_line(event)
        case Compacted():
            return Line("⇅", "*", compaction_words(event), "cyan")
        case StepEnded(faults=faults) if faults:
            return Line("⇅", "*", f"{counted(faults, 'message')} paged back in")
        case CallsMalformed():
            return Line("↻", "*", f"the reply's tool calls could not be run ({one_line(event.reason, 100)}); asked again")
        case RetryScheduled():
            return Line("↻", "*", f"{one_line(event.reason, 100)}; trying again in {event.seconds:.0f} s")
        case RunStarted(epoch=epoch) if epoch > 1:
            return Line("↻", "*", "picked up where another worker left it")
        case RunEnded():
            return _end_line(event)
        case _:
            return None


def compaction_words(event: Compacted) -> str:
    """``paged out 24 messages (#3–#26), 5,210 → 2,480 tokens, because the window was full (1.2 s); 2 stay in view``."""
    places = f"#{event.first_seq}–#{event.last_seq}"
    tokens = f"{event.tokens_before:,} → {event.tokens_after:,} tokens"
    cause = CAUSES.get(event.cause, event.cause)
    kept = f"; {event.kept:,} {'stays' if event.kept == 1 else 'stay'} in view" if event.kept else ""
    return f"paged out {counted(event.messages, 'message')} ({places}), {tokens}, because {cause}{_effort(event)}{kept}"


def _effort(event: Compacted) -> str:
    """How the summary was asked for and how long it took."""
    if not event.milliseconds:
        return ""
    on_prefix = "asked on the cached prefix, " if event.cached_tokens > event.prompt_tokens / 2 else ""
    return f" ({on_prefix}{milliseconds(event.milliseconds)})"


def exit_status(ended: RunEnded) -> int:
    """0 ok, 1 failed, 3 reasoner unreachable, 5 over a budget, 130 cancelled."""
    if ended.state == "cancelled":
        return INTERRUPTED_STATUS
    if ended.stop_reason in _BUDGETS:
        return BUDGET_STATUS
    if ended.state == "completed":
        return 0
    status = _statuses(PagemindError).get((ended.error or {}).get("code", ""), 1)
    return status if status == 3 else 1


def error_words(error: dict[str, str]) -> str:
    """``error[code]: cause (evidence)`` and the fix on a line of its own."""
    evidence = f" ({error['evidence']})" if error.get("evidence") else ""
    fix = f"\nfix: {error['fix']}" if error.get("fix") else ""
    return f"error[{error.get('code', 'error')}]: {error.get('cause', '')}{evidence}{fix}"


def _tool_line(event: ToolReturned) -> Line:
    if event.status != "ok":
        return Line("✗", "!", f"{event.name}: {one_line(event.effect or event.result, 160)}", "yellow")
    if event.name.startswith(_EDITS_MEMORY) and event.effect:
        return Line("✎", "*", one_line(event.effect), "green")
    subject = _subject(event.arguments)
    effect = one_line(event.effect or event.result, 80)
    parts = [
        one_line(event.name),
        f'"{subject}"' if subject else "",
        f"→ {effect}" if effect else "",
        milliseconds(event.milliseconds),
    ]
    return Line("⚙", "*", " ".join(part for part in parts if part))


def milliseconds(value: float) -> str:
    """``.4 ms``, ``12 ms``, ``3.1 s``."""
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 1 else f"{value:.1f} ms"


def _subject(arguments: str) -> str:
    """What the call is about: its query, else its first text."""
    try:
        parsed: Any = json.loads(arguments)
    except ValueError:
        return ""
    if not isinstance(parsed, dict):
        return ""
    values = cast("dict[str, Any]", parsed)
    texts = [value for value in (values.get("query"), *values.values()) if isinstance(value, str) and value]
    return one_line(texts[0], 40) if texts else ""


def _end_line(event: RunEnded) -> Line | None:
    if event.state == "cancelled":
        return Line("■", "!", "cancelled", "yellow")
    if event.stop_reason in _BUDGETS:
        words = f"stopped at {_BUDGETS[event.stop_reason]} ({event.stop_reason}, {counted(event.steps, 'step')})"
        return Line("■", "!", words, "yellow")
    if event.error:
        return Line("✗", "!", error_words(event.error), "red")
    if event.state == "failed":
        return Line("✗", "!", f"failed ({event.stop_reason})", "red")
    return None


def _statuses(kind: type[PagemindError]) -> dict[str, int]:
    statuses = {kind.code: kind.exit_status}
    for narrower in kind.__subclasses__():
        statuses |= _statuses(narrower)
    return statuses
