"""What ``GET /v1/models`` lists, read with suspicion: any web server may sit on a usual port."""

from __future__ import annotations

import re

from pagemind.model.wire import Json, list_of, object_of

NO_CHAT = re.compile(r"embed|rerank|minilm|\bbge\b|whisper|\btts\b", re.IGNORECASE)


def chat_models(answer: object) -> list[Json]:
    """The entries that look like chat models; none where the answer does not have the shape of a model list."""
    entries = [object_of(entry) for entry in list_of(object_of(answer).get("data"))]
    return [entry for entry in entries if is_name(entry.get("id")) and not NO_CHAT.search(str(entry["id"]))]


def is_name(value: object) -> bool:
    """Whether a value can be a model's name."""
    return isinstance(value, str) and 0 < len(value) <= 500
