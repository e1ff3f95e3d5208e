"""An exported agent, applied to an empty home, is the same agent."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagemind.definitions.export import NotExportable, definition_of, to_yaml
from pagemind.definitions.loader import load, load_text
from pagemind.definitions.planner import LiveAgent, plan
from pagemind.definitions.schema import AgentDefinition
from pagemind.settings import content_folder

from .strategies import DEFINITIONS, LIVE


def read_back(definition: AgentDefinition) -> AgentDefinition:
    return load_text(to_yaml(definition), Path("x.yaml"), {}).definition


@given(DEFINITIONS)
def test_a_written_definition_reads_back_as_it_was(definition: AgentDefinition) -> None:
    again = read_back(definition)
    assert again == definition
    assert list(again.blocks) == list(definition.blocks)


@given(LIVE)
def test_an_exported_agent_makes_the_same_agent(live: LiveAgent) -> None:
    made = plan(read_back(definition_of(live)), None, None).result
    assert plan(definition_of(live), live, None).is_clean
    assert plan(definition_of(live), made, None).is_clean
    assert made.blocks == live.blocks


@given(st.text(alphabet="\n\r\t :#-'\"|>%&*!{}[],?x1$\x85\u2028\ufeff\x1b", min_size=1))
def test_any_text_survives_the_round_trip(text: str) -> None:
    definition = AgentDefinition(version=1, kind="agent", name="ada", instructions=text, tags=(text[:60],))
    assert read_back(definition) == definition


def test_the_shipped_agents_survive_the_round_trip() -> None:
    for source in load([content_folder() / "agents"], {}):
        assert read_back(source.definition) == source.definition


def test_long_texts_are_written_as_lines_and_secrets_as_references() -> None:
    definition = AgentDefinition.model_validate(
        {
            "version": 1,
            "kind": "agent",
            "name": "ada",
            "model": {"api_key": "${secret:KEY}"},
            "instructions": "One.\nTwo costs ${5}.\n",
            "blocks": {"human": {"owner": "agent", "value": "no"}},
        }
    )
    assert to_yaml(definition) == (
        "# yaml-language-server: $schema=agent.schema.json\n"
        "version: 1\nkind: agent\nname: ada\nmodel:\n  api_key: ${secret:KEY}\n"
        "instructions: |\n  One.\n  Two costs $${5}.\n"
        "blocks:\n  human:\n    owner: agent\n    value: 'no'\n"
    )


def test_what_no_file_may_say_is_told() -> None:
    live = LiveAgent("Not a Slug", "", {}, "x", (), {}, ())
    with pytest.raises(NotExportable, match="name"):
        definition_of(live)
