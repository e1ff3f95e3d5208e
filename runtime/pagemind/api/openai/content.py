"""The content of a message on OpenAI's wire: a text, or parts of which only texts can be read."""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import AfterValidator, Field

from pagemind.api.openai.route import refusal

TEXT_PARTS = {"text", "input_text", "output_text", "refusal"}
MOST_PARTS = 1000

Content = str | Annotated[list[dict[str, Any]], Field(max_length=MOST_PARTS)] | None


def text_of(content: Content) -> str:
    """The content as one text, its parts a line each; refused where a part is an image, a sound or a file."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part_text(part) for part in content)


def part_text(part: dict[str, Any]) -> str:
    """The text of one part."""
    kind = part.get("type")
    if kind not in TEXT_PARTS:
        raise refusal(f"This agent reads text only, and a part of the content is of type {str(kind)[:40]!r}.", "content")
    text = part.get("refusal" if kind == "refusal" else "text")
    if not isinstance(text, str):
        raise refusal("A text part has no text.", "content")
    return text


def is_bounded(value: Any) -> Any:
    """The JSON value, if it is no deeper than a schema has reason to be: what is stored is read again by others."""
    if depth(value) > MOST_DEPTH:
        raise ValueError(f"is nested deeper than {MOST_DEPTH}")
    return value


MOST_DEPTH = 50


def depth(value: Any) -> int:
    """How deep lists and objects are nested in it, without recursion."""
    level, deepest = [value], 0
    while level:
        level = [inner for each in level for inner in within(each)]
        deepest += 1
        if deepest > MOST_DEPTH:
            break
    return deepest


def within(value: Any) -> list[Any]:
    """What stands directly in a list or an object."""
    match value:
        case dict():
            return list(cast("dict[str, Any]", value).values())
        case list():
            return cast("list[Any]", value)
        case _:
            return []


Bounded = Annotated[dict[str, Any], AfterValidator(is_bounded)]
