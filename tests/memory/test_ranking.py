from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from pagemind.memory import ranking
from pagemind.memory.dates import spans_of
from pagemind.memory.ranking import Asked, Ingredients, decay
from pagemind.records import Decay, MessageHit, PassageHit, Policy
from pagemind.records.search import Hit

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
ASKED = Asked("When does the course begin?", NOON)


def ranked(candidates: Sequence[Hit], asked: Asked) -> list[Hit]:
    return list(ranking.ranked(candidates, asked))


def hit(seq: int, content: str, when: datetime = NOON, **scores: float) -> MessageHit:
    return MessageHit(uuid4(), seq, "user", content, when, score=0.0, resident=False, scores=scores)


def passage(text: str, when: datetime = NOON, **more: object) -> PassageHit:
    made = PassageHit(uuid4(), text, (), "person", when, score=0.0, scores={"words": 1.0})
    return replace(made, **more)  # pyright: ignore[reportArgumentType]


def order(*hits: MessageHit, asked: Asked = ASKED) -> list[int]:
    return [each.seq for each in ranked(hits, asked)]


def test_an_earlier_question_does_not_push_out_what_answers_it() -> None:
    earlier = hit(9, "When does the course begin?", words=6.0, vector=0.8)
    told = hit(2, "The course begins in April.", words=5.4, vector=0.7)
    first, second = ranked([earlier, told], ASKED)
    assert (first.seq, second.seq) == (2, 9)
    assert second.boosts == {"asks": 0.8}
    assert first.boosts == {}


def test_a_lookup_by_place_keeps_its_order() -> None:
    places = [hit(1, "Who?", place=1.0), hit(2, "Me.", place=1.0)]
    found = ranked(places, ASKED)
    assert [(each.seq, each.score, each.boosts) for each in found] == [(1, 1.0, {}), (2, 1.0, {})]


def test_each_signal_counts_by_its_share_of_the_greatest() -> None:
    found = ranked([hit(1, "By words.", words=4.0, vector=0.0), hit(2, "By meaning.", words=1.0, vector=0.5)], ASKED)
    assert [(each.seq, each.score) for each in found] == [(2, 1.25), (1, 1.0)]
    assert found[0].scores == {"words": 1.0, "vector": 0.5, "words_rank": 2.0, "vector_rank": 1.0}


def test_words_speak_for_the_vector_that_a_text_does_not_have_yet() -> None:
    found = ranked([hit(1, "All of the words.", words=4.0), hit(2, "Like it.", words=1.0, vector=0.9)], ASKED)
    assert [(each.seq, each.score) for each in found] == [(1, 2.0), (2, 1.25)]


def test_what_no_signal_speaks_for_is_no_hit() -> None:
    assert order(hit(1, "By words.", words=4.0, vector=0.5), hit(2, "By nothing.", words=0.0, vector=-0.1)) == [1]


def test_an_answer_is_lent_some_of_its_questions_score() -> None:
    question = hit(1, "Where did you grow up?", words=4.0, vector=0.8)
    answer = hit(2, "In Porto, by the river.", vector=0.2)
    elsewhere = hit(7, "I like it here.", vector=0.25)
    assert order(question, answer, elsewhere) == [1, 7, 2]
    found = ranked([question, replace(answer, around={-1: question.id}), elsewhere], ASKED)
    assert [each.seq for each in found] == [1, 2, 7]
    assert found[1].scores["neighbours"] == pytest.approx(0.3 * 2)


def test_a_neighbour_of_another_day_lends_nothing() -> None:
    question = hit(1, "Where did you grow up?", NOON - timedelta(days=1), words=4.0, vector=0.8)
    answer = hit(2, "In Porto.", vector=0.2)
    found = ranked([question, replace(answer, around={-1: question.id})], ASKED)
    assert "neighbours" not in found[1].scores


def test_whom_the_query_names_counts_for_more_than_the_other_speaker() -> None:
    ana, ben = hit(1, "Ana: I paint on Sundays.", words=2.0), hit(2, "[8 May] Ben: You paint on Sundays!", words=2.1)
    assert order(ana, ben, asked=Asked("What does Ana paint?", NOON)) == [1, 2]
    assert order(ana, ben, asked=Asked("Who paints?", NOON)) == [2, 1]
    # "Anatomy" is nobody's name.
    assert order(ana, ben, asked=Asked("Anatomy of painting", NOON)) == [2, 1]


def test_a_label_that_few_messages_have_is_nobodys_name() -> None:
    noted = hit(1, "Note: buy milk.", words=1.0)
    others = [hit(number, f"We need milk {number}.", words=1.1) for number in (2, 3, 4)]
    assert order(noted, *others, asked=Asked("the note on milk", NOON))[-1] == 1


def test_a_time_that_the_query_names_lifts_what_is_of_that_time() -> None:
    may, june = datetime(2023, 5, 9, tzinfo=UTC), datetime(2023, 6, 20, tzinfo=UTC)
    hits = [hit(1, "We hiked.", may, words=2.0), hit(2, "We hiked again.", june, words=2.2)]
    query = "What did we do in May?"
    assert order(*hits, asked=Asked(query, NOON)) == [2, 1]
    dated = Asked(query, NOON, spans_of(query, NOON))
    assert order(*hits, asked=dated) == [1, 2]
    assert ranked(hits, dated)[0].scores["dates"] == pytest.approx(1.5)


def test_a_signal_that_is_left_out_says_nothing() -> None:
    hits = [hit(1, "By words.", words=4.0, vector=0.1), hit(2, "By meaning.", words=1.0, vector=0.5)]
    assert order(*hits, asked=replace(ASKED, ingredients=Ingredients(vector=False))) == [1, 2]
    assert order(*hits, asked=replace(ASKED, ingredients=Ingredients(words=False))) == [2, 1]


@pytest.mark.parametrize(
    ("form", "days", "left"),
    [
        (Decay.linear, 0, 1.0),
        (Decay.linear, 45, 0.85),
        (Decay.linear, 900, 0.7),
        (Decay.half_life, 90, 0.5),
        (Decay.half_life, 180, 0.25),
        (Decay.half_life, -5, 1.0),
    ],
)
def test_what_is_older_counts_for_less(form: Decay, days: int, left: float) -> None:
    assert decay(timedelta(days=days), timedelta(days=90), form) == pytest.approx(left)


def test_decay_is_off_unless_asked_for() -> None:
    old, new = passage("old", NOON - timedelta(days=90)), passage("new")
    assert [each.score for each in ranked([old, new], ASKED)] == [1.0, 1.0]
    faded = ranked([old, new], replace(ASKED, policy=Policy(decay=Decay.half_life)))
    assert [(each.text, each.score) for each in faded] == [("new", 1.0), ("old", 0.5)]
    assert faded[1].boosts == {"decay": 0.5}


def test_what_was_found_lately_stays_young_where_that_is_asked_for() -> None:
    old = passage("old", NOON - timedelta(days=90), refreshed_at=NOON)
    kept = Policy(decay=Decay.half_life, refresh_on_access=True)
    assert ranked([old], replace(ASKED, policy=kept))[0].score == 1.0
    assert ranked([old], replace(ASKED, policy=replace(kept, refresh_on_access=False)))[0].score == 0.5


def test_trust_weighs_where_it_is_asked_for() -> None:
    stated, inferred = passage("stated", origin="stated"), passage("inferred", origin="inferred")
    doubted = passage("doubted", origin="stated", confidence=0.3)
    overdue = passage("overdue", origin="stated", review_by=NOON - timedelta(days=1))
    trusted = ranked([inferred, overdue, doubted, stated], replace(ASKED, policy=Policy(weigh_confidence=True)))
    assert [(each.text, each.score) for each in trusted] == [
        ("stated", 1.0),
        ("inferred", 0.8),
        ("overdue", 0.5),
        ("doubted", 0.3),
    ]
