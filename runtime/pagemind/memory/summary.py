"""Summaries that need no model, and their bounds. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pagemind.records import Message, Role

# A token holds at least about two characters in the languages that tokenizers serve worst; four in English.
CHARS_PER_TOKEN = 4
LINE_CHARS = 100


def outline(summary: str, messages: Sequence[Message]) -> str:
    """The earlier summary and the beginning of each thing said, with its number."""
    lines = [
        f"{message.role}: {' '.join(message.content.split())[:LINE_CHARS]} (#{message.seq})"
        for message in messages
        if message.role in (Role.user, Role.assistant) and message.content.strip()
    ]
    return "\n".join([*([summary] if summary else []), *lines])


def shortened(text: str, limit_tokens: int) -> str:
    """The text cut to about ``limit_tokens`` by leaving out its middle; its beginning and its end matter most."""
    limit = limit_tokens * CHARS_PER_TOKEN
    if len(text) <= limit:
        return text
    half = (limit - 20) // 2
    return f"{text[:half]}\n[...]\n{text[-half:]}"


def in_words(reply: str) -> bool:
    """Whether a reply is words: a model that was told to call no tool may write a call into its text all the same."""
    return "<tool_call>" not in reply and not reply.lstrip().startswith(("{", "[TOOL_CALLS]", "<|", "<function="))
