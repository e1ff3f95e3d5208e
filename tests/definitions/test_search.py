"""How an agent's searches weigh what they find, as its file says it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from pagemind.definitions.export import definition_of, to_yaml
from pagemind.definitions.loader import load_text
from pagemind.definitions.planner import plan
from pagemind.definitions.problems import InvalidDefinition
from pagemind.definitions.schema import AgentDefinition
from pagemind.engine.policy import Lifetime, lifetime_of, search_policy
from pagemind.records import CONFIDENCE, Agent, Decay, Policy

HEAD = "version: 1\nkind: agent\nname: ada\ninstructions: Be kind.\n"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
WEIGHED = """memory:
  search:
    min_similarity: 0.3
    decay:
      kind: half_life
      retention_days: 30.0
    weigh_confidence: true
    confidence:
      inferred: 0.5
    refresh_on_access: true
    diversity: 0.2
    rerank: false
    expires_after_days:
      inferred: 365.0
    review_after_days:
      inferred: 90.0
      stated: 180.0
"""


def read(text: str) -> AgentDefinition:
    return load_text(text, Path("ada.yaml"), {}).definition


def agent_of(text: str) -> Agent:
    live = plan(read(text), None, None).result
    return Agent(tenant_id=uuid4(), name="ada", instructions="Be kind.", model=live.model, memory=live.memory)


def test_everything_is_off_unless_the_file_asks_for_it() -> None:
    agent = agent_of(HEAD)
    assert search_policy(agent) == Policy()
    assert lifetime_of(agent, "inferred", NOON) == Lifetime(None, None)


def test_an_agent_from_before_there_was_such_a_section_has_everything_off() -> None:
    assert search_policy(Agent(tenant_id=uuid4(), name="ada", instructions="x", memory={"keep_tokens": 5})) == Policy()


def test_what_the_file_asks_for_is_what_searches_obey() -> None:
    agent = agent_of(HEAD + WEIGHED)
    assert search_policy(agent) == Policy(
        min_similarity=0.3,
        decay=Decay.half_life,
        retention_days=30,
        weigh_confidence=True,
        confidence={**CONFIDENCE, "inferred": 0.5},
        refresh_on_access=True,
        diversity=0.2,
        rerank=False,
    )
    assert lifetime_of(agent, "inferred", NOON) == Lifetime(NOON + timedelta(days=365), NOON + timedelta(days=90))
    assert lifetime_of(agent, "imported", NOON) == Lifetime(None, None)


def test_an_export_is_the_file_again() -> None:
    definition = read(HEAD + WEIGHED)
    exported = to_yaml(definition_of(plan(definition, None, None).result))
    assert read(exported) == definition
    assert plan(read(exported), plan(definition, None, None).result, None).is_clean
    assert "min_similarity: 0.3" in exported
    assert "imported" not in exported  # what is as it is by default is left out


def test_a_plan_names_the_one_key_that_changed() -> None:
    live = plan(read(HEAD + WEIGHED), None, None).result
    made = plan(read(HEAD + WEIGHED.replace("0.3", "0.4")), live, None)
    assert [(change.path, change.before, change.after) for change in made.changes] == [
        ("memory.search.min_similarity", 0.3, 0.4)
    ]


def test_a_live_agent_that_says_only_some_of_it_differs_in_nothing_else() -> None:
    live = plan(read(HEAD), None, None).result
    partly = replace(live, memory={"search": {"decay": {"kind": "linear"}}})
    assert [change.path for change in plan(read(HEAD), partly, None).changes] == ["memory.search.decay.kind"]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("{min_similarity: 1.5}", "ada.yaml:5:35: memory.search.min_similarity: it must be less than or equal to 1"),
        ("{decay: {kind: sudden}}", "ada.yaml:5:33: memory.search.decay.kind: it must be 'none', 'linear' or 'half_life'"),
        ("{decay: {retention_days: 0}}", "ada.yaml:5:43: memory.search.decay.retention_days: it must be greater than 0"),
        ("{confidense: {stated: 1}}", "ada.yaml:5:19: unknown key 'confidense': did you mean 'confidence'?"),
        ("{confidence: {guessed: 1}}", "ada.yaml:5:32: unknown key 'guessed'; known are stated, read, inferred, imported"),
    ],
)
def test_what_a_search_section_says_wrong_is_told_with_its_place(said: str, problem: str) -> None:
    with pytest.raises(InvalidDefinition) as raised:
        read(f"{HEAD}memory: {{search: {said}}}\n")
    assert [str(each) for each in raised.value.problems] == [problem]
