from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pagemind.records import Completion, Prompt, PromptMessage
from pagemind.testing.measure.fault_talk import SUMMARY, Fact, OpenBookReasoner, facts, questions, tellings
from pagemind.testing.shell import Shell

FACT = Fact("boat", "Ada", "amber-123")


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The figures of the bounded bench, run as a person runs it."""
    folder = tmp_path_factory.mktemp("faults")
    path = folder / "figures.json"
    shown = Shell(folder / "home", folder).ok("bench-faults", "--quick", "--figures", str(path))
    assert "page faults per 100 questions" in shown
    assert "uniform popularity" in shown
    return json.loads(Path(path).read_text())


@pytest.mark.parametrize("popularity", ["zipf", "uniform"])
def test_every_question_is_answered_rightly_and_each_miss_is_one_more_model_call(
    figures: dict[str, Any], popularity: str
) -> None:
    for arm in (figures[popularity]["without"], figures[popularity]["keeping"]):
        assert arm["right"] == arm["questions"] == 24
        assert arm["model_calls"] == 24 + arm["searched"]
        assert arm["compactions"] > 1
        assert arm["faults"] >= arm["searched"] > 0
        assert arm["fault_tokens"] > arm["faults"]


def test_the_arms_differ_in_what_is_kept_alone(figures: dict[str, Any]) -> None:
    for popularity in ("zipf", "uniform"):
        without, keeping = figures[popularity]["without"], figures[popularity]["keeping"]
        assert (without["keep_tokens"], without["kept_messages"]) == (0, 0)
        assert keeping["keep_tokens"] == 100
        assert figures[popularity]["ratios"]["faults"] == keeping["faults"] / without["faults"]
    assert figures["uniform"]["keeping"]["kept_messages"] > 0


def test_the_workload_is_the_same_for_the_same_seed_and_no_fact_is_told_twice() -> None:
    told = facts(60, seed=3)
    assert told == facts(60, seed=3) != facts(60, seed=4)
    assert len({(fact.thing, fact.owner) for fact in told}) == 60
    assert questions(told, 50, "zipf", 1) == questions(told, 50, "zipf", 1)
    assert all(text.startswith(fact.statement) for fact, text in zip(told, tellings(told, 1), strict=True))


def test_by_zipfs_law_few_facts_are_asked_for_often_and_uniformly_none_is() -> None:
    told = facts(60, seed=0)
    most = {kind: Counter(questions(told, 6_000, kind, 0)).most_common(1)[0][1] for kind in ("zipf", "uniform")}
    assert 1_150 < most["zipf"] < 1_450, "the first of 60 has 1 of the 4.68 that the weights add up to"
    assert most["uniform"] < 150


@pytest.mark.anyio
async def test_the_reasoner_answers_what_it_sees_searches_once_for_what_it_does_not_and_then_gives_up() -> None:
    asked = PromptMessage("user", FACT.question)
    assert (await reply(PromptMessage("user", f"{FACT.statement} It came up."), asked)).text == FACT.statement
    [search] = (await reply(PromptMessage("user", "The boat of Olga is onyx-1."), asked)).calls
    assert search.name == "conversation_search"
    assert json.loads(search.arguments)["query"] == "boat of Ada"
    found = PromptMessage("tool", f"#3 user 2026-11-21 10:00: {FACT.statement}", call_id="1")
    assert (await reply(asked, found)).text == FACT.statement
    assert (await reply(asked, PromptMessage("tool", "Nothing found.", call_id="1"))).text == "I do not know."


@pytest.mark.anyio
async def test_its_summary_gives_no_fact_away() -> None:
    told = PromptMessage("user", FACT.statement)
    assert (await reply(told, purpose_summary=True)).text == SUMMARY
    assert FACT.value not in SUMMARY


async def reply(*messages: PromptMessage, purpose_summary: bool = False) -> Completion:
    prompt = Prompt(messages, purpose="summary" if purpose_summary else "step")
    [piece] = [piece async for piece in OpenBookReasoner(2048).stream(prompt)]
    assert isinstance(piece, Completion)
    return piece
