"""Text from outside, made storable."""

from __future__ import annotations

import re

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def clean_text(text: str) -> str:
    """The text without NUL, which PostgreSQL refuses, and with U+FFFD for each lone surrogate, which UTF-8 refuses.

    Right-to-left text, emoji and every other character stay as they are.
    """
    return _LONE_SURROGATE.sub("\ufffd", text.replace("\x00", ""))
