from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from pagemind.memory.reranking import reordered
from pagemind.records import PassageHit


def hit(text: str, **boosts: float) -> PassageHit:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return PassageHit(uuid4(), text, (), "", when, 0.5, scores={"words": 1.0}, boosts=boosts)


def test_the_first_hits_take_the_rerankers_order_and_the_rest_follows_as_it_stood() -> None:
    hits = [hit("a"), hit("b"), hit("c"), hit("d"), hit("e")]
    found = reordered(hits, [0.1, 0.9, 0.4])
    assert [each.text for each in found] == ["b", "c", "a", "d", "e"]
    assert found[0].scores == {"words": 1.0, "reranker": 0.9, "reranker_rank": 1.0}
    assert [each.scores.get("reranker_rank") for each in found] == [1.0, 2.0, 3.0, None, None]
    assert {each.score for each in found} == {0.5}


def test_equal_scores_keep_the_order_and_no_scores_change_nothing() -> None:
    hits = [hit("a"), hit("b"), hit("c")]
    assert [each.text for each in reordered(hits, [0.5, 0.5, 0.5])] == ["a", "b", "c"]
    assert reordered(hits, []) == hits


def test_what_the_policy_asks_for_weighs_a_rerankers_score_and_what_the_search_guessed_does_not() -> None:
    old, new = hit("old", decay=0.5, confidence=0.9), hit("new", asks=0.8)
    found = reordered([old, new], [0.9, 0.5])
    assert [each.text for each in found] == ["new", "old"]
    assert [each.scores["reranker"] for each in found] == [0.5, 0.9]
