"""A run as it is told on Letta's wire: its events become messages, whole or piece by piece.

Every chunk has a number that follows from what is stored alone. The message that a step's `Replied` event stores under ``seq``
is numbered by its characters: thinking, then words, then for each call one and its arguments; chunk ``seq * UNIT + n`` ends
behind the first ``n`` of them, whether it came live or later. Whoever asks again for what comes after a number gets exactly
the rest, also of a message that was cut in the middle, also from another process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pagemind.api.letta.failures import Failure, failure_of, stop_word
from pagemind.api.letta.message_json import (
    PLAIN,
    Json,
    Reply,
    Showing,
    call_parts,
    head,
    otid,
    return_fields,
    stop,
    thinking,
    usage,
)
from pagemind.api.times import message_date
from pagemind.events import (
    CallDelta,
    CallStarted,
    Compacted,
    Event,
    ReasoningDelta,
    Replied,
    RetryScheduled,
    RunEnded,
    StepEnded,
    StepStarted,
    TextDelta,
    ToolReturned,
)
from pagemind.records import now

UNIT = 1_000_000
"""More than a reply has characters (``reply_limit_chars``)."""
PING_NUMBER = 1


@dataclass(frozen=True)
class Manner:
    """How a run is told: what is shown of it, in pieces or whole, with numbers or without, from which number on."""

    showing: Showing = PLAIN
    pieces: bool = False
    numbered: bool = False
    after: int = 0
    holds_calls: bool = False
    """Whether calls come whole although all else comes in pieces: some may turn out to wait for an answer, or to speak."""


@dataclass
class Told:
    """How much of a reply was told: characters of its thinking, of its words, of the arguments of each call begun."""

    reasoning: int = 0
    text: int = 0
    calls: list[int] = field(default_factory=list[int])

    @property
    def count(self) -> int:
        """All of it."""
        return self.reasoning + self.text + sum(1 + arguments for arguments in self.calls)

    @classmethod
    def first(cls, count: int, event: Replied) -> Told:
        """The first so many characters of a whole reply."""
        count = max(0, count)
        told = cls(reasoning=min(count, len(event.reasoning)))
        count -= told.reasoning
        told.text = min(count, len(event.text))
        count -= told.text
        for call in event.calls:
            if count <= 0:
                break
            told.calls.append(min(count - 1, len(call["arguments"])))
            count -= 1 + len(call["arguments"])
        return told


@dataclass
class Live:
    """A reply that is being written."""

    reply: Reply
    told: Told = field(default_factory=Told)
    lost: bool = False
    """Whether the pieces that come cannot be told: some are missing, or are of another try."""
    call_ids: list[str] = field(default_factory=list[str])


class Teller:
    """Tells one run to one listener. Feed it all events of the run, from the first."""

    def __init__(self, run_id: UUID, manner: Manner) -> None:
        self.run_id = run_id
        self.manner = manner
        self.ended: RunEnded | None = None
        self._seq = 0
        self._live: Live | None = None
        self._cached_tokens = 0
        self._context_tokens: int | None = None

    def tell(self, seq: int | None, event: Event) -> list[Json]:
        """What is new with this event."""
        if seq is not None:
            self._seq = seq
        return self.manner.showing.wanted(self._numbered(self._news(event)))

    @property
    def stop_reason(self) -> Json:
        """Why it ended."""
        assert self.ended is not None
        return stop(stop_word(self.ended.state, self.ended.stop_reason, self.ended.error) or "end_turn")

    @property
    def usage(self) -> Json:
        """What it took."""
        end = self.ended
        assert end is not None
        return usage(end.prompt_tokens, end.completion_tokens, end.steps, self._cached_tokens, self._context_tokens)

    @property
    def failure(self) -> Failure | None:
        """How it failed, if it did."""
        assert self.ended is not None
        return failure_of(self.ended.state, self.ended.stop_reason, self.ended.error)

    def _numbered(self, news: Iterator[tuple[int, Json]]) -> Iterator[Json]:
        """What comes after the number asked for, with its number where they are wanted."""
        for number, part in news:
            if number > self.manner.after:
                if self.manner.numbered:
                    part["seq_id"] = number
                yield part

    def _news(self, event: Event) -> Iterator[tuple[int, Json]]:
        match event:
            case StepStarted(step_id=step_id, message_id=message_id):
                self._live = None
                if self.manner.pieces and step_id is not None and message_id is not None:
                    self._live = Live(Reply(message_id, message_date(now()), "", step_id=step_id, run_id=self.run_id))
            case ReasoningDelta() | TextDelta() | CallStarted() | CallDelta():
                if self._live is not None:
                    yield from self._piece(self._live, event)
            case RetryScheduled():
                if self._live is not None:
                    self._live.lost, self._live.told = True, Told()
            case Replied():
                yield from self._whole(event)
            case ToolReturned() if not self.manner.showing.spoken(event.name):
                yield self._seq * UNIT, self._returned(event)
            case Compacted() if self.manner.showing.compactions:
                yield from self._compacted(event)
            case StepEnded(cached_tokens=cached, context_tokens=context):
                self._cached_tokens += cached
                self._context_tokens = context
                self._live = None
            case RunEnded():
                self.ended = event
            case _:
                pass

    # --- a reply in pieces --------------------------------------------------------------------------------------------

    def _piece(self, live: Live, event: ReasoningDelta | TextDelta | CallStarted | CallDelta) -> Iterator[tuple[int, Json]]:
        """The piece, if it follows what was told; else what it lacks comes with the whole."""
        told, reply = live.told, live.reply
        part: Json | None = None
        match event:
            case ReasoningDelta(text, at):
                if at == told.reasoning and not told.text and not told.calls:
                    told.reasoning += len(text)
                    part = thinking(reply, 0, text)
            case TextDelta(text, at):
                if at == told.text and not told.calls:
                    told.text += len(text)
                    part = reply.part("assistant_message", 1 if told.reasoning else 0, content=text)
            case CallStarted(name, index, call_id):
                if not self.manner.holds_calls and call_id and index == len(told.calls):
                    told.calls.append(0)
                    live.call_ids.append(call_id)
                    part = call_delta(reply, told, {"name": name, "tool_call_id": call_id})
            case CallDelta(text, index, at):
                if index == len(told.calls) - 1 and at == told.calls[index]:
                    told.calls[index] += len(text)
                    part = call_delta(reply, told, {"arguments": text, "tool_call_id": live.call_ids[index]})
        if part is None:
            live.lost = True
        elif not live.lost:
            number = (self._seq + 1) * UNIT + told.count
            yield number, part if number - length(event) >= self.manner.after else rest(part, number - self.manner.after)

    def _whole(self, event: Replied) -> Iterator[tuple[int, Json]]:
        """The reply, or what was not told of it."""
        message_id = event.message_id or UUID(int=0)
        date = message_date(datetime.fromisoformat(event.at)) if event.at else message_date(now())
        reply = Reply(message_id, date, event.text, event.reasoning, event.calls, event.waits, event.step_id, self.run_id)
        told = Told.first(self.manner.after - self._seq * UNIT, event)
        if self._live is not None and self._live.reply.message_id == message_id and self._live.told.count > told.count:
            told = self._live.told
        self._live = None
        number = self._seq * UNIT
        if len(event.reasoning) > told.reasoning:
            yield number + len(event.reasoning), thinking(reply, 0, event.reasoning[told.reasoning :])
        number += len(event.reasoning)
        if len(event.text) > told.text and event.text.strip():
            words = reply.part("assistant_message", 1 if event.reasoning else 0, content=event.text[told.text :])
            yield number + len(event.text), words
        yield from self._whole_calls(reply, told, number + len(event.text))

    def _whole_calls(self, reply: Reply, told: Told, number: int) -> Iterator[tuple[int, Json]]:
        """The calls, or what was not told of them; ``number`` is that of what stands before them."""
        end = number + sum(1 + len(call["arguments"]) for call in reply.calls)
        if not told.calls or self.manner.holds_calls or reply.waits:
            parts = call_parts(reply, self.manner.showing, bool(reply.reasoning) + bool(reply.text.strip()))
            for left, part in zip(range(len(parts) - 1, -1, -1), parts, strict=True):
                yield end - left, part
            return
        for index, call in enumerate(reply.calls):
            number += 1 + len(call["arguments"])
            begun = index < len(told.calls)
            rest = call["arguments"][told.calls[index] if begun else 0 :]
            if rest or not begun:
                named = {} if begun else {"name": call["name"]}
                yield number, call_delta(reply, told, {**named, "arguments": rest, "tool_call_id": call["id"]})

    # --- everything else ----------------------------------------------------------------------------------------------

    def _returned(self, event: ToolReturned) -> Json:
        message_id = event.message_id or UUID(int=0)
        date = message_date(datetime.fromisoformat(event.at)) if event.at else message_date(now())
        base = head(message_id, date, "tool_return_message", otid(message_id, 0), event.step_id, self.run_id)
        return {**base, "name": event.name, **return_fields(event.call_id, event.result, event.status)}

    def _compacted(self, event: Compacted) -> Iterator[tuple[int, Json]]:
        """That the oldest exchanges were paged out: that it happened, and what stands for them now."""
        message_id = UUID(int=self.run_id.int ^ self._seq)
        date = message_date(now())
        stats = {
            "trigger": event.cause,
            "context_tokens_before": event.tokens_before,
            "context_tokens_after": event.tokens_after,
            "context_window": event.tokens_before,
            "messages_count_before": event.messages,
            "messages_count_after": 0,
        }
        happened = head(message_id, date, "event_message", otid(message_id, 0), None, self.run_id)
        yield self._seq * UNIT, {**happened, "event_type": "compaction", "event_data": stats}
        summary = head(message_id, date, "summary_message", otid(message_id, 1), None, self.run_id)
        words = event.summary or f"Messages #{event.first_seq} to #{event.last_seq} were paged out behind a summary."
        yield self._seq * UNIT + 1, {**summary, "summary": words, "compaction_stats": stats}


def length(event: ReasoningDelta | TextDelta | CallStarted | CallDelta) -> int:
    """How far a piece takes the count."""
    return 1 if isinstance(event, CallStarted) else len(event.text)


def rest(part: Json, count: int) -> Json:
    """The last so many characters of a piece, for who has the first."""
    match part["message_type"]:
        case "reasoning_message":
            return {**part, "reasoning": part["reasoning"][-count:]}
        case "assistant_message":
            return {**part, "content": part["content"][-count:]}
        case _:
            piece = {**part["tool_call"], "arguments": part["tool_call"]["arguments"][-count:]}
            return {**part, "tool_call": piece, "tool_calls": piece}


def call_delta(reply: Reply, told: Told, piece: Json) -> Json:
    """A piece of a call; it stands twice, as a whole call does."""
    return reply.part("tool_call_message", bool(told.reasoning) + bool(told.text), tool_call=piece, tool_calls=piece)
