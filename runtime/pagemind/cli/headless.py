"""``-p TEXT``: say one thing, print the reply as words, one JSON object or one JSON line an event, and leave."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import Any, Literal

from pagemind.cli.lines import exit_status
from pagemind.cli.report import report
from pagemind.cli.screen import PlainScreen
from pagemind.cli.session import Session
from pagemind.cli.starting import say_local
from pagemind.engine.runtime import Runtime
from pagemind.errors import PagemindError
from pagemind.events import Event, Replied, RunEnded, StepEnded, ToolReturned, to_json
from pagemind.settings import Settings

Output = Literal["text", "json", "jsonl"]


@dataclass
class Collected:
    """What one run did, for ``--output json``."""

    text: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    usage: dict[str, int] = field(default_factory=lambda: {"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0})
    ended: RunEnded | None = None

    async def take(self, event: Event) -> None:
        """Keep what the event tells."""
        match event:
            case Replied(text=text):
                self.text = text or self.text
            case ToolReturned():
                kept = ("name", "arguments", "result", "status", "effect", "milliseconds")
                self.tools.append({name: getattr(event, name) for name in kept})
            case StepEnded():
                for name in self.usage:
                    self.usage[name] += getattr(event, name)
            case RunEnded():
                self.ended = event
            case _:
                pass

    def as_values(self, session: Session) -> dict[str, Any]:
        """The run as one JSON object."""
        ended = self.ended
        return {
            "run_id": str(ended.run_id) if ended else None,
            "state": ended.state if ended else None,
            "stop_reason": ended.stop_reason if ended else None,
            "text": self.text,
            "tools": self.tools,
            "usage": self.usage,
            "agent": session.agent.name,
            "conversation_id": str(session.conversation.id),
            "error": ended.error if ended else None,
        }


async def say(
    settings: Settings,
    *,
    agent: str | None,
    text: str,
    output: Output,
    new: bool,
    conversation: str | None,
    background: bool = False,
) -> int:
    """Say the text, with standard input after it where that is piped; the exit status of the run."""
    try:
        text = _with_input(text)
        async with await Runtime.open(settings, tell=say_local) as runtime:
            session = await Session.begin(runtime, agent=agent, new=new, conversation=conversation)
            return await _carry(session, text, output, background=background)
    except PagemindError as error:
        if output == "jsonl":
            print(json.dumps({"type": "error", **error.as_dict()}), flush=True)
            return error.exit_status
        return report(error, as_json=output == "json")


async def _carry(session: Session, text: str, output: Output, *, background: bool) -> int:
    run = await session.accept(text, background=background)
    if output == "text":
        return exit_status(await session.carry(run, PlainScreen().event))
    if output == "jsonl":
        return exit_status(await session.carry(run, _print_event))
    collected = Collected()
    ended = await session.carry(run, collected.take)
    print(json.dumps(collected.as_values(session)), flush=True)
    return exit_status(ended)


async def _print_event(event: Event) -> None:
    print(json.dumps(to_json(event), default=str), flush=True)


def _with_input(text: str) -> str:
    if sys.stdin is None or sys.stdin.isatty():  # pyright: ignore[reportUnnecessaryComparison] - None without a console
        return text
    piped = sys.stdin.buffer.read().decode("utf-8", "replace")
    return "\n\n".join(part for part in (text, piped.rstrip("\n")) if part.strip())
