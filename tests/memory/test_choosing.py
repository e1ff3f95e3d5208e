from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from pagemind.memory.choosing import chosen
from pagemind.records import PassageHit, Policy


def hit(text: str, score: float, **scores: float) -> PassageHit:
    return PassageHit(uuid4(), text, (), "person", datetime(2024, 1, 1, tzinfo=UTC), score=score, scores=scores)


def texts(hits: tuple[PassageHit, ...]) -> list[str]:
    return [each.text for each in hits]


def test_what_came_after_the_last_hit_is_a_near_miss() -> None:
    found = chosen([hit("one", 3.0), hit("two", 2.0), hit("three", 1.0)], 2, Policy())
    assert texts(found.hits) == ["one", "two"]
    assert [(each.text, each.missed) for each in found.near_misses] == [("three", "place 3, and 2 were asked for")]


def test_nothing_comes_rather_than_noise() -> None:
    hits = [hit("near", 2.0, vector=0.5), hit("far", 1.0, vector=0.2), hit("without a vector", 0.5, words=1.0)]
    found = chosen(hits, 10, Policy(min_similarity=0.3))
    assert texts(found.hits) == ["near", "without a vector"]
    assert [each.missed for each in found.near_misses] == ["its similarity 0.20 is below 0.3"]
    assert chosen(hits[1:2], 10, Policy(min_similarity=0.3)).hits == ()


def test_what_is_said_twice_is_found_once() -> None:
    first = hit("The cat is called Mia.", 2.0)
    found = chosen(
        [first, hit("the cat is  called mia", 1.9), hit("The cat is called Leo.", 1.0), hit("?!", 0.5)], 10, Policy()
    )
    assert texts(found.hits) == ["The cat is called Mia.", "The cat is called Leo.", "?!"]
    assert [each.missed for each in found.near_misses] == [f"says the same as {first.id}"]


def test_difference_counts_where_it_is_asked_for() -> None:
    hits = [hit("red apples and pears", 1.0), hit("red apples and plums", 0.9), hit("a blue boat", 0.6)]
    assert texts(chosen(hits, 3, Policy()).hits) == ["red apples and pears", "red apples and plums", "a blue boat"]
    assert texts(chosen(hits, 3, Policy(diversity=0.5)).hits) == ["red apples and pears", "a blue boat", "red apples and plums"]
    assert texts(chosen(hits, 2, Policy(diversity=0.5)).hits) == ["red apples and pears", "a blue boat"]
