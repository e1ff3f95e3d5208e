"""Three-way planning: what the file changed, what was changed live, and what both changed."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from pagemind.definitions.planner import Action, LiveAgent, Plan, plan
from pagemind.definitions.schema import AgentDefinition
from pagemind.records import Json, Owner

from .strategies import DEFINITIONS, LIVE


def wanted(**values: JsonValue) -> AgentDefinition:
    head: dict[str, Any] = {"version": 1, "kind": "agent", "name": "ada", "instructions": "Be kind."}
    return AgentDefinition.model_validate(head | values)


def edited(live: LiveAgent, label: str, value: str) -> LiveAgent:
    """The agent after its block was given another text."""
    return replace(live, blocks={**live.blocks, label: replace(live.blocks[label], value=value)})


def told(made: Plan) -> list[tuple[str, Action]]:
    return [(change.path, change.action) for change in made.changes]


def applied_to(definition: AgentDefinition) -> tuple[LiveAgent, Json]:
    first = plan(definition, None, None)
    return first.result, first.applied


PERSONA: JsonValue = {"owner": "config", "value": "I am Ada."}
HUMAN: JsonValue = {"owner": "agent", "value": "Unknown."}


def test_a_new_agent_is_created_with_its_blocks() -> None:
    made = plan(wanted(tags=["x"], blocks={"persona": PERSONA}), None, None)
    assert told(made) == [("name", "create"), ("instructions", "create"), ("tags", "create"), ("blocks.persona", "create")]
    assert not made.exists


def test_what_only_the_file_changed_is_updated() -> None:
    live, base = applied_to(wanted(description="old"))
    made = plan(wanted(description="new"), live, base)
    assert told(made) == [("description", "update")]
    assert made.result.description == "new"


def test_what_was_only_changed_live_is_kept_and_told() -> None:
    live, base = applied_to(wanted(model={"temperature": 0.2}))
    drifted = replace(live, model={**live.model, "temperature": 0.9})
    made = plan(wanted(model={"temperature": 0.2}), drifted, base)
    assert made.is_clean
    assert told(made) == [("model.temperature", "keep")]
    assert made.result.model["temperature"] == 0.9


def test_what_both_changed_becomes_the_files_and_both_values_are_told() -> None:
    live, base = applied_to(wanted(description="old"))
    [change] = plan(wanted(description="file"), replace(live, description="live"), base).changes
    assert (change.before, change.after, change.note) == ("live", "file", "conflict: changed live too; the file wins")


def test_an_agent_made_without_a_file_is_taken_over_by_it() -> None:
    live, _ = applied_to(wanted(description="by hand", blocks={"human": HUMAN, "notes": HUMAN}))
    made = plan(wanted(description="by file", blocks={"human": HUMAN}), live, None)
    assert told(made) == [("description", "update"), ("blocks.notes", "keep")]


def test_a_block_that_the_agent_owns_is_seeded_once() -> None:
    live, base = applied_to(wanted(blocks={"human": HUMAN}))
    learnt = edited(live, "human", "Likes Porto.")
    made = plan(wanted(blocks={"human": {"owner": "agent", "value": "Another seed."}}), learnt, base)
    assert made.is_clean
    assert made.result.blocks["human"].value == "Likes Porto."


def test_the_description_and_limit_of_the_agents_block_are_still_the_files() -> None:
    live, base = applied_to(wanted(blocks={"human": HUMAN}))
    learnt = edited(live, "human", "Likes Porto.")
    made = plan(wanted(blocks={"human": {"owner": "agent", "limit": 9, "description": "Who."}}), learnt, base)
    assert told(made) == [("blocks.human.description", "update"), ("blocks.human.limit", "update")]
    assert made.result.blocks["human"].value == "Likes Porto."
    assert "12 characters and can only be shortened" in made.changes[1].note


def test_the_file_has_the_last_word_on_a_block_of_the_config() -> None:
    live, base = applied_to(wanted(blocks={"persona": PERSONA}))
    made = plan(wanted(blocks={"persona": PERSONA}), edited(live, "persona", "I am Bob."), base)
    assert told(made) == [("blocks.persona.value", "update")]
    assert made.result.blocks["persona"].value == "I am Ada."
    assert "changed live" in made.changes[0].note


def test_a_block_removed_from_the_file_goes_if_the_config_owned_it_and_stays_if_the_agent_did() -> None:
    live, base = applied_to(wanted(blocks={"persona": PERSONA, "human": HUMAN}))
    made = plan(wanted(), live, base)
    assert told(made) == [("blocks.persona", "remove"), ("blocks.human", "keep")]
    pruned = plan(wanted(), live, base, prune=True)
    assert told(pruned) == [("blocks.persona", "remove"), ("blocks.human", "remove")]
    later = plan(wanted(), made.result, made.applied, prune=True)
    assert told(later) == [("blocks.human", "remove")]


def test_a_block_can_change_hands() -> None:
    live, base = applied_to(wanted(blocks={"notes": HUMAN}))
    learnt = edited(live, "notes", "Mine.")
    taken = plan(wanted(blocks={"notes": {"owner": "config", "value": "The team's."}}), learnt, base)
    assert told(taken) == [("blocks.notes.owner", "update"), ("blocks.notes.value", "update")]
    assert "stays in its history" in taken.changes[1].note
    given_back = plan(wanted(blocks={"notes": HUMAN}), taken.result, taken.applied)
    assert told(given_back) == [("blocks.notes.owner", "update")]
    assert given_back.result.blocks["notes"].value == "The team's."


def test_a_block_detached_live_comes_back_only_if_the_config_owns_it() -> None:
    live, base = applied_to(wanted(blocks={"persona": PERSONA, "human": HUMAN}))
    made = plan(wanted(blocks={"persona": PERSONA, "human": HUMAN}), replace(live, blocks={}), base)
    assert told(made) == [("blocks.persona", "create"), ("blocks.human", "keep")]


def test_the_order_of_the_file_is_the_order_in_the_window() -> None:
    live, base = applied_to(wanted(blocks={"a": HUMAN, "b": HUMAN}))
    attached = replace(live, blocks={"a": live.blocks["a"], "x": live.blocks["a"], "b": live.blocks["b"]})
    made = plan(wanted(blocks={"b": HUMAN, "n": HUMAN, "a": HUMAN}), attached, base)
    assert list(made.result.blocks) == ["b", "n", "x", "a"]
    assert ("blocks", "update") in told(made)
    assert plan(wanted(blocks={"b": HUMAN, "n": HUMAN, "a": HUMAN}), made.result, made.applied).is_clean


@pytest.mark.parametrize("model", [{}, {"limits": None, "temperature": None}, {"from_elsewhere": 1}])
def test_live_values_that_no_file_wrote_are_understood(model: Json) -> None:
    live, base = applied_to(wanted())
    assert plan(wanted(), replace(live, model=model), base).is_clean


@given(DEFINITIONS, st.none() | LIVE, st.none() | DEFINITIONS, st.booleans())
def test_after_an_apply_the_plan_is_clean(
    definition: AgentDefinition, live: LiveAgent | None, before: AgentDefinition | None, prune: bool
) -> None:
    made = plan(definition, live, before and plan(before, None, None).applied, prune=prune)
    again = plan(definition, made.result, made.applied, prune=prune)
    assert again.is_clean
    assert again.result == made.result
    assert list(again.result.blocks) == list(made.result.blocks)


@given(LIVE, st.lists(DEFINITIONS, min_size=1, max_size=4), st.booleans())
def test_no_sequence_of_applies_changes_what_the_agent_owns(
    live: LiveAgent, definitions: list[AgentDefinition], prune: bool
) -> None:
    base: Json | None = None
    for definition in definitions:
        made = plan(definition, live, base, prune=prune)
        for label, block in made.result.blocks.items():
            if block.owner is Owner.agent and label in live.blocks:
                assert block.value == live.blocks[label].value
        live, base = made.result, made.applied


@given(DEFINITIONS, LIVE)
def test_a_clean_plan_changes_nothing(definition: AgentDefinition, live: LiveAgent) -> None:
    made = plan(definition, live, plan(definition, None, None).applied)
    if made.is_clean:
        assert made.result.blocks == live.blocks
        assert (made.result.description, made.result.instructions) == (live.description, live.instructions)
