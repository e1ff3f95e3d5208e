"""Text from elsewhere (a model, a tool, a block, a file) made safe to print on a terminal."""

from __future__ import annotations

import re

_SEQUENCES = re.compile(
    r"""
      (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]                                         # CSI: colours, cursor, modes
    | (?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f]) [^\x07\x1b\x9c]* (?:\x07|\x1b\\|\x9c)  # OSC (titles, links, clipboard), DCS, ...
    | \x1b [ -/]* [0-~]                                                            # two-character escapes
    """,
    re.VERBOSE,
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202d\u202e\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def safe_text(text: str) -> str:
    """The text without terminal control sequences, C0/C1 controls and direction overrides; newlines and tabs stay.

    A lone surrogate, which no output can encode, becomes U+FFFD.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    text = text.replace("\r\n", "\n")
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("", _SEQUENCES.sub("", text)))


def one_line(text: str, limit_chars: int = 60) -> str:
    """The text, safe, on one line and cut with an ellipsis."""
    line = " ".join(safe_text(text).split())
    return line if len(line) <= limit_chars else line[: limit_chars - 1].rstrip() + "…"


def counted(count: int, noun: str) -> str:
    """``1 message``, ``1,200 messages``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
