"""Why a run ended, in Letta's words."""

from __future__ import annotations

from pagemind.records import RunState, StopReason

WORDS = {
    StopReason.max_seconds: "max_steps",
    StopReason.max_tokens: "max_tokens_exceeded",
    StopReason.invalid_calls: "invalid_tool_call",
    StopReason.window_full: "context_window_overflow_in_system_prompt",
}
"""Where our word is not Letta's."""


def wire_stop(state: str, reason: str | None) -> str | None:
    """The word for a run that ended; None for one that did not."""
    if reason is None:
        return "cancelled" if state == RunState.cancelled else None
    return WORDS.get(StopReason(reason), reason)


def our_stops(word: str) -> list[str]:
    """The reasons that the word may stand for."""
    return [reason.value for reason in StopReason if WORDS.get(reason, reason.value) == word]
