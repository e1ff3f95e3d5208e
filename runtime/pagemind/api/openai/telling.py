"""What a run's events tell somebody who waits for words: texts, thoughts, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from pagemind.events import Event, ReasoningDelta, Replied, RunEnded, StepEnded, TextDelta, ToolReturned

BETWEEN = "\n\n"
SPEAKS = "send_message"
"""A tool whose text is for the user."""


@dataclass(frozen=True)
class Said:
    """A piece of what the agent says."""

    text: str


@dataclass(frozen=True)
class Thought:
    """A piece of what it thinks, or a line on a tool that it used."""

    text: str


@dataclass(frozen=True)
class Ended:
    """The end: ``stop_reason`` and ``state`` are the run's, ``error`` is that of a run that failed."""

    state: str
    stop_reason: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    error: dict[str, str] | None = None


Told = Said | Thought | Ended


class Teller:
    """Tells a run as it goes. Live pieces come at once; what they lacked follows when the step's text is known whole.

    Whoever missed the live pieces, or follows a run of another process, thus hears the same words in larger pieces.
    """

    def __init__(self) -> None:
        self._said = ""
        self._thought = ""
        self._spoken = False
        self._cached_tokens = 0

    def tell(self, event: Event) -> Iterator[Told]:
        """What is new with this event."""
        match event:
            case TextDelta(text):
                yield from self._say(text)
            case ReasoningDelta(text):
                self._thought += text
                yield Thought(text)
            case Replied(text, reasoning):
                yield from self._complete(text, reasoning)
            case ToolReturned(name=name):
                yield from self._used(event) if name != SPEAKS else self._complete(spoken(event), "")
            case StepEnded(cached_tokens=cached):
                self._cached_tokens += cached
                self._said = self._thought = ""
            case RunEnded():
                tokens = (event.prompt_tokens, self._cached_tokens, event.completion_tokens)
                yield Ended(event.state, event.stop_reason, *tokens, event.error)
            case _:
                pass

    def _say(self, text: str) -> Iterator[Said]:
        """A piece of a text, apart from the one before."""
        if text:
            yield Said(BETWEEN + text if self._spoken and not self._said else text)
            self._said += text
            self._spoken = True

    def _complete(self, text: str, reasoning: str) -> Iterator[Told]:
        """What the live pieces of this text and its thoughts lacked."""
        if reasoning.startswith(self._thought) and len(reasoning) > len(self._thought):
            yield Thought(reasoning[len(self._thought) :])
        if not text.startswith(self._said):
            # A call to the model failed in the middle, and what came of the next one is another text.
            self._said = ""
        yield from self._say(text[len(self._said) :])
        self._said = self._thought = ""

    def _used(self, event: ToolReturned) -> Iterator[Thought]:
        """A line on a tool."""
        effect = event.effect or ("failed" if event.status == "error" else "")
        yield Thought(f"[{event.name}{': ' + effect if effect else ''}]\n")


def spoken(event: ToolReturned) -> str:
    """The text of a call that speaks to the user."""
    try:
        given: Any = json.loads(event.arguments)
    except ValueError:
        return ""
    message = cast("dict[str, object]", given).get("message") if isinstance(given, dict) else None
    return message if isinstance(message, str) else ""
