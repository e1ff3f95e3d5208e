"""A response as it grows: its output items, and the event for each change, in the order that OpenAI's clients expect."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from pagemind.api.openai.ending import Waiting
from pagemind.api.openai.route import Json
from pagemind.api.openai.telling import Said, Thought


class Composer:
    """Makes output items of what a run tells. ``output`` is what there is so far; texts and thoughts close each other.

    The ids of the items follow from the run's, so that a response that is read again has the same.
    """

    def __init__(self, run_id: UUID) -> None:
        self._run_id = run_id
        self.output: list[Json] = []
        self._text = ""

    def add(self, told: Said | Thought) -> Iterator[Json]:
        """A piece more; the events that say so."""
        kind = "message" if isinstance(told, Said) else "reasoning"
        if not self._is_open(kind):
            yield from self.close()
            yield from self._open(kind)
        self._text += told.text
        yield self._delta(told)

    def close(self) -> Iterator[Json]:
        """The item that is open, if any, is whole."""
        if not self.output or self.output[-1]["status"] != "in_progress":
            return
        item = self.output[-1]
        at: Json = {"item_id": item["id"], "output_index": len(self.output) - 1}
        if item["type"] == "message":
            item["content"] = [text_part(self._text)]
            yield {"type": "response.output_text.done", **at, "content_index": 0, "text": self._text, "logprobs": []}
            yield {"type": "response.content_part.done", **at, "content_index": 0, "part": text_part(self._text)}
        else:
            item["summary"] = [summary_part(self._text)]
            yield {"type": "response.reasoning_summary_text.done", **at, "summary_index": 0, "text": self._text}
            yield {"type": "response.reasoning_summary_part.done", **at, "summary_index": 0, "part": summary_part(self._text)}
        item["status"] = "completed"
        yield {"type": "response.output_item.done", "output_index": at["output_index"], "item": dict(item)}

    def call(self, call: Waiting) -> Iterator[Json]:
        """A call that waits for the caller."""
        yield from self.close()
        item: Json = {"id": self._id("fc"), "type": "function_call", "call_id": call.id, "name": call.name}
        at = len(self.output)
        opened = {**item, "arguments": "", "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": at, "item": opened}
        where: Json = {"item_id": item["id"], "output_index": at}
        yield {"type": "response.function_call_arguments.delta", **where, "delta": call.arguments}
        yield {"type": "response.function_call_arguments.done", **where, "name": call.name, "arguments": call.arguments}
        self.output.append({**item, "arguments": call.arguments, "status": "completed"})
        yield {"type": "response.output_item.done", "output_index": at, "item": dict(self.output[-1])}

    def _is_open(self, kind: str) -> bool:
        return bool(self.output) and self.output[-1]["type"] == kind and self.output[-1]["status"] == "in_progress"

    def _open(self, kind: str) -> Iterator[Json]:
        self._text = ""
        item: Json = {"id": self._id("msg" if kind == "message" else "rs"), "type": kind, "status": "in_progress"}
        item |= {"role": "assistant", "content": []} if kind == "message" else {"summary": []}
        at: Json = {"item_id": item["id"], "output_index": len(self.output)}
        self.output.append(item)
        yield {"type": "response.output_item.added", "output_index": at["output_index"], "item": dict(item)}
        if kind == "message":
            yield {"type": "response.content_part.added", **at, "content_index": 0, "part": text_part("")}
        else:
            yield {"type": "response.reasoning_summary_part.added", **at, "summary_index": 0, "part": summary_part("")}

    def _delta(self, told: Said | Thought) -> Json:
        at: Json = {"item_id": self.output[-1]["id"], "output_index": len(self.output) - 1, "delta": told.text}
        if isinstance(told, Said):
            return {"type": "response.output_text.delta", **at, "content_index": 0, "logprobs": []}
        return {"type": "response.reasoning_summary_text.delta", **at, "summary_index": 0}

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{self._run_id.hex}{len(self.output):04d}"


def text_part(text: str) -> Json:
    """A text as a part of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def summary_part(text: str) -> Json:
    """A text as a part of a reasoning item."""
    return {"type": "summary_text", "text": text}
