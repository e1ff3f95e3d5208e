from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from pagemind.memory.ranking import fuse
from pagemind.records import MessageHit


def hit(seq: int, content: str, **scores: float) -> MessageHit:
    when = datetime(2024, 1, 1, tzinfo=UTC)
    return MessageHit(uuid4(), seq, "user", content, when, score=0.0, resident=False, scores=scores)


def test_an_earlier_question_does_not_push_out_what_answers_it() -> None:
    asked = hit(9, "When does the course begin?", words=6.0, vector=0.8)
    told = hit(2, "The course begins in April.", words=5.4, vector=0.7)
    first, second = fuse([asked, told])
    assert (first.seq, second.seq) == (2, 9)
    assert second.scores["asks"] < 1
    assert "asks" not in first.scores


def test_a_lookup_by_place_keeps_its_order() -> None:
    places = [hit(1, "Who?", place=1.0), hit(2, "Me.", place=1.0)]
    assert [(each.seq, each.score) for each in fuse(places)] == [(1, 1.0), (2, 1.0)]
    assert "asks" not in fuse(places)[0].scores


def test_each_signal_counts_by_its_share_of_the_greatest() -> None:
    found = fuse([hit(1, "By words.", words=4.0), hit(2, "By meaning.", words=1.0, vector=0.5)])
    assert [(each.seq, each.score) for each in found] == [(2, 1.25), (1, 1.0)]
    assert found[0].scores == {"words": 1.0, "vector": 0.5, "words_rank": 2.0, "vector_rank": 1.0}


def test_what_no_signal_speaks_for_is_no_hit() -> None:
    found = fuse([hit(1, "By words.", words=4.0, vector=0.5), hit(2, "By nothing.", words=0.0, vector=-0.1)])
    assert [each.seq for each in found] == [1]
