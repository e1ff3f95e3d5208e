"""The way back of the OpenAI chat wire: streamed chunks become ``Piece``s and one ``Completion``."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from pagemind.errors import ReplyTooLong
from pagemind.model.wire import Json, list_of, object_of, text_of, whole
from pagemind.records import ArgumentsPiece, CallPiece, CallRequest, Completion, Piece, ReasoningPiece, TextPiece, Usage

REASONING_FIELDS = ("reasoning_content", "reasoning")


@dataclass
class CallDraft:
    """A tool call as far as it has come."""

    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""
    place: int = 0
    """Which of the reply's calls it is."""
    told: int | None = None
    """How many characters of the arguments were announced; None: not even the call was."""

    def add(self, delta: Json) -> None:
        """Add a delta. The name may come in pieces, or whole and again in each chunk."""
        self.id = self.id or text_of(delta.get("id"))
        function = object_of(delta.get("function"))
        piece = text_of(function.get("name"))
        self.name += "" if piece == self.name else piece
        arguments = function.get("arguments")
        self.arguments += json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, dict) else text_of(arguments)

    def news(self) -> Iterable[Piece]:
        """Announce the call, once, as soon as its name is whole, and then what its arguments have more."""
        if self.told is None and self.name:
            self.told = 0
            self.id = self.id or f"call_{secrets.token_hex(8)}"
            yield CallPiece(self.name, self.place, self.id)
        if self.told is not None and len(self.arguments) > self.told:
            yield ArgumentsPiece(self.arguments[self.told :], self.place)
            self.told = len(self.arguments)

    def request(self) -> CallRequest:
        """The call. No text at all means no arguments; a missing id is made up, since returns refer to it."""
        return CallRequest(
            self.id or f"call_{secrets.token_hex(8)}", self.name, (self.arguments.strip() and self.arguments) or "{}"
        )


class ReplyReader:
    """Puts a reply together from its chunks, whatever liberties the server takes."""

    def __init__(self, limit_chars: int) -> None:
        self._limit_chars = limit_chars
        self._chars = 0
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[CallDraft] = []
        self._finish_reason = ""
        self._usage: Json = {}
        self._usage_alone = False
        self._model = ""

    @property
    def ended(self) -> bool:
        """Whether the reply came to its end: a finish reason, or the usage chunk that only ever stands last."""
        return bool(self._finish_reason) or self._usage_alone

    def read(self, chunk: object) -> Iterable[Piece]:
        """The pieces in one chunk. Raises ``ReplyTooLong`` once text, thinking and arguments pass the limit together."""
        data = object_of(chunk)
        choices = [object_of(choice) for choice in list_of(data.get("choices"))]
        self._model = self._model or text_of(data.get("model"))
        if usage := object_of(data.get("usage")):
            self._usage = usage
            self._usage_alone = self._usage_alone or not choices
        for choice in choices[:1]:
            yield from self._delta(object_of(choice.get("delta")))
            self._finish_reason = text_of(choice.get("finish_reason")) or self._finish_reason
            if self._finish_reason:
                yield from (piece for call in self._calls for piece in call.news())

    def completion(self) -> Completion:
        """The whole reply."""
        calls = tuple(call.request() for call in self._calls)
        return Completion(
            text="".join(self._text),
            calls=calls,
            reasoning="".join(self._reasoning),
            finish_reason=self._finish_reason or ("tool_calls" if calls else "stop"),
            usage=usage_of(self._usage),
            model=self._model,
        )

    def _delta(self, delta: Json) -> Iterable[Piece]:
        for field in REASONING_FIELDS:
            if thought := text_of(delta.get(field)):
                self._count(thought)
                self._reasoning.append(thought)
                yield ReasoningPiece(thought)
                break
        if text := text_of(delta.get("content")):
            self._count(text)
            self._text.append(text)
            yield TextPiece(text)
        for part in list_of(delta.get("tool_calls")):
            yield from self._call_delta(object_of(part))

    def _call_delta(self, delta: Json) -> Iterable[Piece]:
        draft = self._draft(delta)
        before = len(draft.arguments) + len(draft.name)
        draft.add(delta)
        self._count_chars(len(draft.arguments) + len(draft.name) - before)
        if draft.arguments:
            yield from draft.news()

    def _draft(self, delta: Json) -> CallDraft:
        """The call that a delta goes on with, or a new one: by index; without one, by id; with neither, the last."""
        index, call_id = delta.get("index"), text_of(delta.get("id"))
        index = index if isinstance(index, int) else None
        for draft in reversed(self._calls):
            same_id = not call_id or not draft.id or draft.id == call_id
            if same_id and (index is None or draft.index is None or draft.index == index):
                if index is None and call_id and draft.id != call_id:
                    continue
                return draft
        draft = CallDraft(index, place=len(self._calls))
        self._calls.append(draft)
        return draft

    def _count(self, text: str) -> None:
        self._count_chars(len(text))

    def _count_chars(self, count: int) -> None:
        self._chars += count
        if self._chars > self._limit_chars:
            raise ReplyTooLong(limit=self._limit_chars)


def usage_of(usage: Json) -> Usage:
    """Token counts as the server reported them."""
    details = object_of(usage.get("prompt_tokens_details"))
    return Usage(
        prompt_tokens=whole(usage.get("prompt_tokens")),
        cached_tokens=whole(details.get("cached_tokens")),
        completion_tokens=whole(usage.get("completion_tokens")),
    )
