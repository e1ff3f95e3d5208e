"""A conversation file is read as it is, or refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pagemind.testing.locomo.talk import BadTalk, read_talk

from .conversation import written


def test_a_turn_says_when_who_and_what(tmp_path: Path) -> None:
    talk = read_talk(written(tmp_path))
    session = talk.sessions[1]
    shown = "[6:30 pm on 9 March, 2024] Tomas: Look at this! [image: a photo of a lighthouse in the snow]"
    assert session.turns[0].dated(session.when) == shown


def test_a_session_that_has_only_a_date_ends_the_conversation(tmp_path: Path) -> None:
    assert [session.number for session in read_talk(written(tmp_path)).sessions] == [1, 2]


def test_only_questions_with_all_their_evidence_in_the_first_sessions_are_asked(tmp_path: Path) -> None:
    talk = read_talk(written(tmp_path))
    assert [question.evidence for question in talk.first(1).draw(20, seed=0)] == [("D1:2",)]
    assert [question.evidence for question in talk.first(2).draw(20, seed=0)] == [("D1:2",), ("D2:3",)]


def test_the_same_seed_draws_the_same_questions(tmp_path: Path) -> None:
    talk = read_talk(written(tmp_path)).first(2)
    assert talk.draw(1, seed=3) == talk.draw(1, seed=3)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"session_1": [{"speaker": "A"}]}', '{"session_1": 3}', "[" * 100_000])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(BadTalk) as refused:
        read_talk(path)
    assert str(path) in refused.value.cause
    assert refused.value.evidence
