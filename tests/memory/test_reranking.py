from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from pagemind.memory.reranking import mixed, reordered, scaled
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


def test_a_reranker_with_a_weight_is_mixed_with_what_the_search_gave() -> None:
    hits = [replace(hit(text), score=score) for text, score in (("a", 2.0), ("b", 1.5), ("c", 1.0), ("d", 0.9))]
    scores = [0.3, 0.5, 0.4]
    # Fused 1, 0.5, 0; late 0, 1, 0.5.
    assert mixed(hits, scores, 1.0) == pytest.approx([1.0, 1.5, 0.5])
    assert mixed(hits, scores, 3.0) == pytest.approx([1.0, 3.5, 1.5])
    found = reordered(hits, scores, 1.0)
    assert [each.text for each in found] == ["b", "a", "c", "d"]
    assert [each.scores.get("reranker") for each in found] == [0.5, 0.3, 0.4, None]
    assert [each.text for each in reordered(hits, scores, 3.0)] == ["b", "c", "a", "d"]
    assert [each.text for each in reordered(hits, scores, 0.0)] == ["a", "b", "c", "d"]


def test_mixing_knows_scores_below_nothing_and_equal_ones() -> None:
    assert scaled([-0.5, 0.5, 0.0]) == [0.0, 1.0, 0.5]
    assert scaled([0.4, 0.4]) == [0.0, 0.0]
    assert scaled([]) == []
    hits = [hit("a"), hit("b")]
    assert [each.text for each in reordered(hits, [-0.2, -0.1], 3.0)] == ["b", "a"]
    assert [each.text for each in reordered(hits, [0.1, 0.1], 3.0)] == ["a", "b"]
    assert reordered(hits, [], 3.0) == hits


def test_what_the_policy_asks_for_weighs_the_mixed_score_too() -> None:
    old, new, other = hit("old", decay=0.4), hit("new"), hit("other")
    assert [each.text for each in reordered([old, new, other], [0.9, 0.5, 0.1], 3.0)] == ["new", "old", "other"]
