"""A line of JSON is a memory with what is known of it, or it is refused with a reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagemind.memory.jsonl import BadLine, Entry, cleaned, entry_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_an_object_says_what_is_known_of_its_text() -> None:
    line = {
        "text": "Figs ripen in August.",
        "tags": ["garden", "garden", "figs"],
        "created_at": "2026-05-01T09:00:00+02:00",
        "source": "https://example.org/figs",
        "metadata": {"id": 7, "by": {"name": "Ada"}},
        "embedding": [0.1],
    }
    assert entry_of(json.dumps(line)) == Entry(
        text="Figs ripen in August.",
        tags=("garden", "figs"),
        created_at=datetime(2026, 5, 1, 7, tzinfo=UTC),
        source="https://example.org/figs",
        metadata={"id": 7, "by": {"name": "Ada"}},
    )


def test_content_is_a_text_too_and_so_is_a_string() -> None:
    assert entry_of('{"content": "The hose leaks."}') == entry_of('"The hose leaks."') == Entry("The hose leaks.")


def test_a_time_without_a_zone_is_utc() -> None:
    assert entry_of('{"text": "x", "created_at": "2026-05-01"}').created_at == datetime(2026, 5, 1, tzinfo=UTC)


def test_what_a_database_refuses_is_taken_out_of_texts() -> None:
    entry = entry_of(
        '{"text": "a\\u0000b\\ud800", "metadata": {"k\\u0000": ["\\u0000x", {"y": "\\udfff"}]}, "source": "s\\u0000"}'
    )
    assert entry == Entry("ab\ufffd", source="s", metadata={"k": ["x", {"y": "\ufffd"}]})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("not json", "it is no JSON: Expecting value at column 1"),
        ('{"text": "x"', "it is no JSON: Expecting ',' delimiter at column 13"),
        ("[1]", "it is a list, where an object or a string is wanted"),
        ("null", "it is null, where an object or a string is wanted"),
        ("{}", "it has neither `text` nor `content`"),
        ('{"text": 5}', "its text is a number, where a string is wanted"),
        ('{"text": " \\u0000 "}', "its text is empty"),
        ('""', "its text is empty"),
        ('{"text": "x", "tags": "no"}', "`tags` is no list of strings"),
        ('{"text": "x", "tags": [1]}', "`tags` is no list of strings"),
        ('{"text": "x", "created_at": "yesterday"}', "`created_at` is no time of ISO 8601, such as 2026-05-01T09:00:00Z"),
        ('{"text": "x", "created_at": 5}', "`created_at` is no time of ISO 8601, such as 2026-05-01T09:00:00Z"),
        (
            '{"text": "x", "created_at": "0001-01-01T00:00:00+14:00"}',
            "`created_at` is no time of ISO 8601, such as 2026-05-01T09:00:00Z",
        ),
        ('{"text": "x", "source": ["a"]}', "`source` is no string of at most 2,000 characters"),
        ('{"text": "x", "metadata": [1]}', "`metadata` is a list, where an object is wanted"),
        ('{"text": "x", "metadata": {"a": NaN}}', "it holds a number that cannot be stored: NaN"),
        ('{"text": "x", "metadata": {"a": 1e999}}', "it holds a number that cannot be stored: 1e999"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_a_bad_line_says_what_is_wrong_with_it(line: str, reason: str) -> None:
    with pytest.raises(BadLine) as refused:
        entry_of(line)
    assert str(refused.value) == reason


def test_tags_and_metadata_have_limits() -> None:
    for given_too_much in ({"tags": ["t"] * 101}, {"tags": ["t" * 201]}, {"metadata": {"a": "x" * 70_000}}):
        with pytest.raises(BadLine, match="more than"):
            entry_of(json.dumps({"text": "x", **given_too_much}))


@given(st.dictionaries(st.sampled_from(["text", "content", "tags", "created_at", "source", "metadata"]), VALUES))
def test_any_object_is_an_entry_or_refused(value: dict[str, object]) -> None:
    try:
        entry = entry_of(json.dumps(value))
    except BadLine:
        return
    assert entry.text.strip()
    # Strict JSON, without what the database has no word for.
    assert cleaned(json.loads(json.dumps(entry.metadata, allow_nan=False))) == entry.metadata
