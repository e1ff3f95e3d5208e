from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagemind.records.text import clean_text


@pytest.mark.parametrize(
    ("given_text", "cleaned"),
    [("a\x00b", "ab"), ("a\ud83eb", "a\ufffdb"), ("\udc00", "\ufffd"), ("שלום 🦊\u200f", "שלום 🦊\u200f"), ("\t\n", "\t\n")],
)
def test_only_what_cannot_be_stored_is_replaced(given_text: str, cleaned: str) -> None:
    assert clean_text(given_text) == cleaned


@given(st.text(st.characters(codec=None)))
def test_cleaned_text_can_always_be_stored(text: str) -> None:
    cleaned = clean_text(text)
    assert b"\x00" not in cleaned.encode()
    assert clean_text(cleaned) == cleaned
