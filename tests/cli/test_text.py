import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagemind.cli.text import counted, one_line, safe_text


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]52;c;aGk=\x1b\\copied", "copied"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jx", "x"),
        ("\x9d52;c;aGk=\x9cx", "x"),
        ("\x1bPq#0\x1b\\x", "x"),
        ("\x1bcx", "x"),
        ("a\rb\x08c\x00", "abc"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("\u202egnp.exe", "gnp.exe"),
    ],
)
def test_control_sequences_do_not_reach_the_terminal(hostile: str, shown: str) -> None:
    assert safe_text(hostile) == shown


@pytest.mark.parametrize("text", ["plain", "שלום עולם", "👩‍👩‍👧 family", "naïve — “quoted”", "two\nlines\tand a tab"])
def test_honest_text_stays_as_it_is(text: str) -> None:
    assert safe_text(text) == text


@given(st.text(st.characters(codec=None) | st.sampled_from("\x1b[]\x07\\\x9b\x9d;m")))
def test_nothing_that_controls_a_terminal_is_left(text: str) -> None:
    shown = safe_text(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", shown)
    shown.encode()


def test_one_line_is_short() -> None:
    assert one_line("a\n b\t\x1b[31mc") == "a b c"
    assert one_line("x" * 100, 10) == "x" * 9 + "…"
    assert counted(1, "message") == "1 message"
    assert counted(1200, "message") == "1,200 messages"
