"""Names and labels that come from elsewhere, made such as can be here."""

from __future__ import annotations

from collections.abc import Callable

from pagemind.records.text import clean_text


def replacing(unsafe: str) -> Callable[[str], str]:
    """Puts ``-`` in the place of characters that break a name."""
    return lambda text: "".join("-" if sign in unsafe or sign < " " or sign == "\x7f" else sign for sign in clean_text(text))


safe_name = replacing('/\\:*?"<>|')


def safe_label(label: str) -> str:
    """The label, without control characters; never empty."""
    return replacing("")(label) or "block"
