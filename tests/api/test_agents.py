"""Agents, as Letta's client makes, finds, changes and deletes them."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import httpx
import pytest
from letta_client import APIStatusError, ConflictError, Letta, NotFoundError, UnprocessableEntityError
from letta_client.types import AgentState

from pagemind.testing.openai_server import calls, says
from pagemind.testing.served import Provider, Served

MODEL = "openai/gpt-4o-mini"
EVERYTHING: Any = [
    "agent.blocks", "agent.identities", "agent.secrets", "agent.sources", "agent.tags", "agent.tools",
]  # fmt: skip


def made(client: Letta, **wanted: Any) -> AgentState:
    """A new agent."""
    given: dict[str, Any] = {"model": MODEL, "embedding": "openai/text-embedding-3-small", **wanted}
    return client.agents.create(**given)


def tool_names(agent: AgentState) -> list[str]:
    """The agent's tools, in order."""
    return [tool.name or "" for tool in agent.tools]


def test_an_agent_is_made_with_its_blocks_and_found_again(client: Letta) -> None:
    blocks = [{"label": "human", "value": "Name: Bo"}, {"label": "persona", "value": "I am Ada."}]
    agent = made(client, name="Ada", memory_blocks=blocks, tags=["alpha"])
    assert agent.id.startswith("agent-")
    assert [block.label for block in agent.blocks] == ["human", "persona"]
    found = client.agents.retrieve(agent.id, include=["agent.blocks", "agent.tags"])
    assert (found.name, found.tags, found.model) == ("Ada", ["alpha"], MODEL)
    assert [block.value for block in found.blocks] == ["Name: Bo", "I am Ada."]
    assert [block.value for block in found.memory.blocks] == ["Name: Bo", "I am Ada."]


def test_an_agent_needs_nothing_but_a_model_and_gets_a_name_instructions_and_base_tools(client: Letta) -> None:
    agent = client.agents.create(model=MODEL)
    assert agent.name.isalpha()
    assert "You are" in agent.system
    assert tool_names(agent) == ["conversation_search", "memory_insert", "memory_replace"]
    assert (agent.agent_type, agent.tool_rules, agent.timezone) == ("letta_v1_agent", [], "UTC")
    assert agent.llm_config.model == "gpt-4o-mini"
    assert agent.embedding_config
    assert agent.embedding_config.embedding_dim >= 0


def test_every_option_is_given_back(client: Letta) -> None:
    agent = made(
        client,
        name="Grace",
        description="A test.",
        metadata={"x": 1, "y": {"z": [1]}},
        system="You are terse.",
        timezone="Europe/Berlin",
        context_window_limit=16_000,
        model_settings={"provider_type": "openai", "temperature": 0.3, "max_output_tokens": 1000},
        message_buffer_autoclear=True,
        max_files_open=3,
        per_file_view_window_char_limit=9000,
        hidden=True,
        enable_sleeptime=True,
        response_format={"type": "json_object"},
        compaction_settings={"model": "openai/gpt-4o-mini", "mode": "sliding_window"},
    )
    found = client.agents.retrieve(agent.id)
    for each in (agent, found):
        assert (each.description, each.metadata, each.system) == ("A test.", {"x": 1, "y": {"z": [1]}}, "You are terse.")
        assert (each.timezone, each.hidden, each.message_buffer_autoclear) == ("Europe/Berlin", True, True)
        assert (each.max_files_open, each.per_file_view_window_char_limit) == (3, 9000)
        assert (each.llm_config.context_window, each.llm_config.temperature, each.llm_config.max_tokens) == (16_000, 0.3, 1000)
        assert each.enable_sleeptime is True
        assert each.compaction_settings
        assert each.compaction_settings.model == "openai/gpt-4o-mini"
        settings: Any = each.model_settings  # pyright: ignore
        assert (settings["provider_type"], settings["temperature"], settings["max_output_tokens"]) == ("openai", 0.3, 1000)


def test_what_an_agent_is_told_and_how_it_is_asked_reaches_the_reasoner(client: Letta, provider: Provider) -> None:
    agent = made(
        client,
        system="You speak in rhymes.",
        model_settings={"provider_type": "openai", "temperature": 0.25, "max_output_tokens": 700},
    )
    provider.will(says("A rhyme."))
    client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Hello."}])
    [asked] = provider.asked
    assert "You speak in rhymes." in str(asked.body["messages"][0])
    assert asked.body["temperature"] == 0.25
    assert asked.body["max_tokens"] == 700
    assert asked.body["model"] == "m"


@pytest.mark.parametrize(
    ("kind", "tools"),
    [
        ("letta_v1_agent", {"conversation_search", "memory_insert", "memory_replace"}),
        ("memgpt_agent", {"conversation_search", "core_memory_append", "core_memory_replace"}),
        ("memgpt_v2_agent", {"conversation_search", "memory_insert", "memory_replace"}),
        ("react_agent", set[str]()),
        ("workflow_agent", set[str]()),
        ("split_thread_agent", {"conversation_search"}),
        ("sleeptime_agent", {"memory_insert", "memory_replace", "memory_rethink"}),
        ("voice_convo_agent", {"conversation_search"}),
        ("voice_sleeptime_agent", {"memory_rethink"}),
    ],
)
def test_every_type_of_agent_is_accepted_and_kept(client: Letta, kind: Any, tools: set[str]) -> None:
    agent = made(client, agent_type=kind)
    assert agent.agent_type == kind == client.agents.retrieve(agent.id).agent_type
    assert tools <= set(tool_names(agent))


def test_an_agent_of_the_older_types_speaks_through_a_tool_that_ends_its_run(client: Letta) -> None:
    agent = made(client, agent_type="memgpt_v2_agent")
    assert "send_message" in tool_names(agent)
    rules = {(rule.tool_name, rule.type) for rule in agent.tool_rules or ()}
    assert ("send_message", "exit_loop") in rules
    assert "send_message" in agent.system
    without = made(client, agent_type="memgpt_v2_agent", include_base_tool_rules=False)
    assert without.tool_rules == []


def test_base_tools_can_be_left_out_and_others_asked_for(client: Letta) -> None:
    assert tool_names(made(client, include_base_tools=False)) == []
    agent = made(client, include_base_tools=False, tools=["archival_memory_search", "archival_memory_insert"])
    assert tool_names(agent) == ["archival_memory_search", "archival_memory_insert"]
    ids = [tool.id for tool in agent.tools]
    again = made(client, include_base_tools=False, tool_ids=ids[::-1], tools=["archival_memory_search"])
    assert tool_names(again) == ["archival_memory_search", "archival_memory_insert"]
    shown = agent.tools[0]
    assert shown.json_schema
    assert shown.json_schema["name"] == "archival_memory_search"


def test_the_tools_of_the_clients_first_example_are_there(client: Letta) -> None:
    agent = made(client, tools=["web_search", "run_code"])
    assert tool_names(agent)[-2:] == ["web_search", "run_code"]


def test_a_tool_that_there_is_none_of_is_refused(client: Letta) -> None:
    with pytest.raises(APIStatusError) as refused:
        made(client, tools=["no_such_tool"])
    assert refused.value.status_code == 400
    assert "no_such_tool" in str(refused.value.body)
    with pytest.raises(APIStatusError) as refused:
        made(client, tool_ids=[f"tool-{uuid4()}"])
    assert refused.value.status_code == 400


def test_all_types_of_tool_rules_are_kept_as_they_are(client: Letta) -> None:
    rules: list[Any] = [
        {"type": "run_first", "tool_name": "memory_insert", "args": {"label": "human"}},
        {"type": "exit_loop", "tool_name": "memory_replace"},
        {"type": "constrain_child_tools", "tool_name": "memory_insert", "children": ["memory_replace"]},
        {"type": "parent_last_tool", "tool_name": "memory_insert", "children": ["conversation_search"]},
        {
            "type": "conditional",
            "tool_name": "conversation_search",
            "child_output_mapping": {"a": "memory_insert"},
            "default_child": None,
        },
        {"type": "continue_loop", "tool_name": "conversation_search"},
        {"type": "required_before_exit", "tool_name": "memory_insert"},
        {"type": "max_count_per_step", "tool_name": "memory_insert", "max_count_limit": 3},
        {"type": "requires_approval", "tool_name": "memory_insert"},
    ]
    agent = made(client, tool_rules=rules)
    kept = [rule.model_dump() for rule in client.agents.retrieve(agent.id).tool_rules or ()]
    assert [rule["type"] for rule in kept] == [rule["type"] for rule in rules]
    for rule, whole in zip(rules, kept, strict=True):
        assert {name: whole[name] for name in rule} == rule
    assert client.agents.update(agent.id, tool_rules=[]).tool_rules == []
    with pytest.raises(UnprocessableEntityError):
        made(client, tool_rules=[{"type": "no_such_rule", "tool_name": "x"}])


def test_secrets_are_given_back_with_their_values(client: Letta) -> None:
    agent = made(client, secrets={"KEY": "value"})
    assert agent.secrets
    assert [(each.key, each.value) for each in agent.secrets] == [("KEY", "value")]
    assert agent.secrets[0].agent_id == agent.id
    assert client.agents.retrieve(agent.id).secrets == []
    changed = client.agents.update(agent.id, secrets={"OTHER": "v2"})
    assert [(each.key, each.value) for each in changed.secrets or ()] == [("OTHER", "v2")]


def test_the_older_configs_of_models_are_accepted(client: Letta) -> None:
    first = made(client)
    config: Any = first.llm_config.model_dump()
    embedding: Any = first.embedding_config and first.embedding_config.model_dump()
    agent = client.agents.create(name="cfg", llm_config=config | {"context_window": 12_000}, embedding_config=embedding)
    assert agent.model == MODEL
    assert agent.llm_config.context_window == 12_000


def test_blocks_that_are_there_already_are_shared(client: Letta) -> None:
    shared = client.blocks.create(label="team", value="Pandas")
    first = made(client, block_ids=[shared.id], memory_blocks=[{"label": "human", "value": "Bo"}])
    second = made(client, block_ids=[shared.id])
    assert [block.label for block in first.blocks] == ["human", "team"]
    assert [block.id for block in second.blocks] == [shared.id]
    nothing = f"block-{uuid4()}"
    with pytest.raises(NotFoundError) as missing:
        made(client, block_ids=[nothing])
    assert nothing in str(missing.value.body)


def test_two_blocks_of_one_label_are_refused_and_nothing_is_made(client: Letta) -> None:
    before = len(list(client.agents.list(query_text="Twice")))
    with pytest.raises(ConflictError):
        made(client, name="Twice", memory_blocks=[{"label": "human", "value": "a"}, {"label": "human", "value": "b"}])
    assert len(list(client.agents.list(query_text="Twice"))) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a/b:c"},
        {"tags": "alpha"},
        {"agent_type": "zzz"},
        {"timezone": "Mars/Base"},
        {"block_ids": ["nope"]},
        {"memory_blocks": [{"label": "human", "value": "x" * 50, "limit": 10}]},
        {"memory_blocks": [{"value": "no label"}]},
        {"context_window_limit": -1},
        {"model_settings": {"provider_type": "openai", "temperature": 9}},
        {"system": "x" * 300_000},
        {"metadata": "text"},
        {"name": 5},
    ],
)
def test_what_cannot_be_is_refused_with_422(client: Letta, wrong: dict[str, Any]) -> None:
    with pytest.raises(UnprocessableEntityError) as refused:
        made(client, **wrong)
    assert "detail" in str(refused.value.body)


def test_a_body_that_is_no_object_is_refused(server: Served) -> None:
    for body in (b"{", b'["a"]', b"null", b"5"):
        answer = httpx.post(f"{server.url}/v1/agents/", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422, body
        assert set(answer.json()) == {"trace_id", "detail"}


def test_an_agent_that_is_not_there_is_404_everywhere(client: Letta) -> None:
    nobody = f"agent-{uuid4()}"
    calls: list[Any] = [
        lambda: client.agents.retrieve(nobody),
        lambda: client.agents.update(nobody, name="x"),
        lambda: client.agents.delete(nobody),
        lambda: client.agents.blocks.list(nobody),
        lambda: client.agents.recompile(nobody),
        lambda: client.agents.list(after=nobody),
    ]
    for call in calls:
        with pytest.raises(NotFoundError) as missing:
            call()
        assert nobody in str(missing.value.body)
    with pytest.raises(UnprocessableEntityError):
        client.agents.retrieve("nope")


def test_an_update_changes_what_is_given_and_lists_replace(client: Letta) -> None:
    agent = made(client, name="Before", tags=["a", "b"], metadata={"x": 1}, description="old")
    changed = client.agents.update(agent.id, name="After", tags=["c"], description="new")
    assert (changed.name, changed.tags, changed.description, changed.metadata) == ("After", ["c"], "new", {"x": 1})
    assert client.agents.update(agent.id).name == "After"
    assert client.agents.update(agent.id, tags=[]).tags == []
    changed = client.agents.update(agent.id, system="Anew.", context_window_limit=20_000, metadata={"y": 2}, hidden=True)
    assert (changed.system, changed.llm_config.context_window, changed.metadata, changed.hidden) == (
        "Anew.", 20_000, {"y": 2}, True,
    )  # fmt: skip
    assert changed.updated_at
    assert agent.updated_at
    assert changed.updated_at > agent.updated_at


def test_an_update_of_the_model_keeps_the_handle_that_was_given(client: Letta) -> None:
    agent = made(client, model_settings={"provider_type": "openai", "max_output_tokens": 1000, "temperature": 0.3})
    changed = client.agents.update(agent.id, model_settings={"provider_type": "openai", "temperature": 0.9})
    settings: Any = changed.model_settings  # pyright: ignore
    assert (settings["temperature"], settings["max_output_tokens"]) == (0.9, 1000)
    assert client.agents.update(agent.id, model="anthropic/claude-x").model == "anthropic/claude-x"
    assert client.agents.retrieve(agent.id).llm_config.handle == "anthropic/claude-x"


def test_an_update_replaces_tools_and_blocks(client: Letta) -> None:
    agent = made(client, memory_blocks=[{"label": "human", "value": "Bo"}, {"label": "persona", "value": "Ada"}])
    human, persona = agent.blocks
    notes = client.blocks.create(label="notes", value="n")
    changed = client.agents.update(agent.id, block_ids=[notes.id, human.id or ""], tool_ids=[agent.tools[1].id])
    assert [block.label for block in changed.blocks] == ["notes", "human"]
    assert tool_names(changed) == ["memory_insert"]
    assert client.blocks.retrieve(persona.id or "").value == "Ada"
    assert tool_names(client.agents.update(agent.id, tool_ids=[])) == []


def test_relationships_come_only_where_they_are_asked_for(client: Letta, server: Served) -> None:
    agent = made(client, tags=["z"], memory_blocks=[{"label": "human", "value": "Bo"}])
    bare = client.agents.retrieve(agent.id)
    assert (bare.blocks, bare.memory.blocks, bare.tools, bare.tags, bare.sources) == ([], [], [], [], [])
    full = client.agents.retrieve(agent.id, include=EVERYTHING)
    assert (len(full.blocks), len(full.tools), full.tags) == (1, 3, ["z"])
    old = httpx.get(f"{server.url}/v1/agents/{agent.id}").json()
    assert (len(old["blocks"]), len(old["tools"]), old["tags"]) == (1, 3, ["z"])
    some = httpx.get(f"{server.url}/v1/agents/{agent.id}?include_relationships=tools").json()
    assert (some["blocks"], len(some["tools"]), some["tags"]) == ([], 3, [])
    assert httpx.get(f"{server.url}/v1/agents/?include=zzz").status_code == 422


def test_a_deleted_agent_is_gone_and_its_shared_blocks_stay(client: Letta) -> None:
    shared = client.blocks.create(label="team", value="Pandas")
    agent = made(client, name="Short-lived", block_ids=[shared.id])
    client.agents.delete(agent.id)
    with pytest.raises(NotFoundError):
        client.agents.retrieve(agent.id)
    with pytest.raises(NotFoundError):
        client.agents.delete(agent.id)
    with pytest.raises(NotFoundError):
        client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Hello?"}])
    assert list(client.agents.list(name="Short-lived")) == []
    assert client.blocks.retrieve(shared.id).value == "Pandas"
    assert list(client.blocks.agents.list(shared.id)) == []


def test_the_list_pages_newest_first_and_ends(client: Letta) -> None:
    tag = f"page-{uuid4()}"
    ids = [made(client, tags=[tag]).id for _ in range(5)]
    assert [agent.id for agent in client.agents.list(tags=[tag], limit=2)] == ids[::-1]
    first = client.agents.list(tags=[tag], limit=2).items
    assert [agent.id for agent in first] == [ids[4], ids[3]]
    assert [agent.id for agent in client.agents.list(tags=[tag], limit=2, after=ids[3]).items] == [ids[2], ids[1]]
    assert [agent.id for agent in client.agents.list(tags=[tag], limit=2, before=ids[1]).items] == [ids[3], ids[2]]
    assert [agent.id for agent in client.agents.list(tags=[tag], order="asc", limit=2).items] == ids[:2]
    assert [agent.id for agent in client.agents.list(tags=[tag], ascending=True, limit=1).items] == ids[:1]


def test_the_list_filters(client: Letta) -> None:
    word = f"Zeta{uuid4().hex[:8]}"
    one = made(client, name=f"{word} One", tags=[word, "red"])
    two = made(client, name=f"{word} Two", tags=[word, "blue"])

    def found(**wanted: Any) -> list[str]:
        return [agent.id for agent in client.agents.list(**wanted)]

    assert found(name=f"{word} One") == [one.id]
    assert found(name=word) == []
    assert found(query_text=word.lower()) == [two.id, one.id]
    assert found(query_text="%") == []
    assert found(tags=[word]) == [two.id, one.id]
    assert found(tags=[word, "red"], match_all_tags=True) == [one.id]
    assert found(tags=["no-such-tag"]) == []
    assert found(template_id="template-1") == []
    hidden = made(client, name=f"{word} Three", tags=[word], hidden=True)
    assert found(tags=[word]) == [two.id, one.id]
    assert found(tags=[word], extra_query={"show_hidden_agents": True}) == [hidden.id, two.id, one.id]
    assert found(query_text=word, last_stop_reason="end_turn") == []


def test_the_list_goes_by_the_last_run_and_by_change(client: Letta, provider: Provider) -> None:
    tag = f"order-{uuid4()}"
    first, second = made(client, tags=[tag]), made(client, tags=[tag])
    provider.will(says("Hello."))
    client.agents.messages.create(first.id, messages=[{"role": "user", "content": "Hi."}])
    by_run = list(client.agents.list(tags=[tag], order_by="last_run_completion", limit=1))
    assert [agent.id for agent in by_run] == [first.id, second.id]
    assert by_run[0].last_stop_reason == "end_turn"
    assert by_run[0].last_run_completion is not None
    assert by_run[0].last_run_duration_ms is not None
    assert [agent.id for agent in client.agents.list(tags=[tag], last_stop_reason="end_turn")] == [first.id]
    client.agents.update(second.id, description="touched")
    assert [agent.id for agent in client.agents.list(tags=[tag], order_by="updated_at")] == [second.id, first.id]


def test_agents_are_counted(client: Letta, server: Served) -> None:
    before = httpx.get(f"{server.url}/v1/agents/count").json()
    agent = made(client)
    assert httpx.get(f"{server.url}/v1/agents/count").json() == before + 1
    client.agents.delete(agent.id)
    assert httpx.get(f"{server.url}/v1/agents/count").json() == before


def test_the_context_window_is_told_part_by_part(client: Letta, server: Served, provider: Provider) -> None:
    agent = made(client, memory_blocks=[{"label": "human", "value": "Name: Bo"}], context_window_limit=8000)
    provider.will(says("Hello, Bo."))
    client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Hi there."}])
    seen = httpx.get(f"{server.url}/v1/agents/{agent.id}/context").json()
    assert seen["context_window_size_max"] == 8000
    parts = ("system", "core_memory", "summary_memory", "functions_definitions", "messages")
    assert 0 < sum(seen[f"num_tokens_{part}"] for part in parts) <= seen["context_window_size_current"] + 200
    assert "Name: Bo" in seen["core_memory"]
    assert [each["function"]["name"] for each in seen["functions_definitions"]] == tool_names(agent)
    assert [each["role"] for each in seen["messages"]][-2:] == ["user", "assistant"]
    assert len(client.agents.retrieve(agent.id).message_ids or ()) >= 2


def test_recompiling_gives_the_prompt_with_the_blocks_as_they_are(client: Letta) -> None:
    agent = made(client, system="You are terse.", memory_blocks=[{"label": "human", "value": "Name: Bo"}])
    client.agents.blocks.update("human", agent_id=agent.id, value="Name: Cy")
    prompt = client.agents.recompile(agent.id)
    assert "You are terse." in prompt
    assert "Name: Cy" in prompt


def test_names_may_be_shared_and_are_in_any_script(client: Letta) -> None:
    first, second = made(client, name="Łukasz 用户"), made(client, name="Łukasz 用户")
    assert {agent.id for agent in client.agents.list(name="Łukasz 用户")} == {first.id, second.id}


def test_an_agent_is_exported_as_a_document_and_imported_anew(client: Letta, provider: Provider) -> None:
    agent = made(client, name="Movable", system="You are terse.", memory_blocks=[{"label": "human", "value": "Name: Bo"}])
    provider.will(says("Hello, Bo."))
    client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Hi there."}])
    document = client.agents.export_file(agent.id)
    assert '"agents"' in document
    [copy_id] = client.agents.import_file(file=document.encode()).agent_ids
    copy = client.agents.retrieve(copy_id, include=EVERYTHING)
    assert (copy.name, copy.system) == ("Movable_copy", "You are terse.")
    assert [block.value for block in copy.blocks] == ["Name: Bo"]
    assert copy.blocks[0].id != agent.blocks[0].id
    texts = [getattr(message, "content", None) for message in client.agents.messages.list(copy_id)]
    assert "Hello, Bo." in texts


def test_an_import_obeys_its_options_and_refuses_what_is_no_agent_file(client: Letta) -> None:
    document = client.agents.export_file(made(client, name="Movable", secrets={"KEY": "old"}).id).encode()
    [named] = client.agents.import_file(file=document, name="Renamed", secrets='{"KEY": "new"}', strip_messages=True).agent_ids
    found = client.agents.retrieve(named, include=EVERYTHING)
    assert found.name.startswith("Renamed")
    assert [(each.key, each.value) for each in found.secrets or ()] == [("KEY", "new")]
    [plain] = client.agents.import_file(file=document, append_copy_suffix=False).agent_ids
    assert client.agents.retrieve(plain).name == "Movable"
    for wrong in (b"no json", b"{}", b"[]"):
        with pytest.raises(APIStatusError) as refused:
            client.agents.import_file(file=wrong)
        assert refused.value.status_code == 400
    with pytest.raises(UnprocessableEntityError):
        client.agents.import_file(file=document, secrets="no json")
    with pytest.raises(NotFoundError):
        client.agents.export_file(f"agent-{uuid4()}")


def test_an_agent_begins_with_the_messages_it_was_given(client: Letta, provider: Provider) -> None:
    first: list[Any] = [
        {"role": "user", "content": "My dog is called Rex."},
        {"role": "assistant", "content": [{"type": "text", "text": "A fine name."}]},
    ]
    agent = made(client, initial_message_sequence=first)
    listed = list(client.agents.messages.list(agent.id))
    assert [message.message_type for message in listed] == ["system_message", "user_message", "assistant_message"]
    assert [message.id for message in listed] == agent.message_ids
    provider.will(says("Rex."))
    client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "What is my dog called?"}])
    [asked] = provider.asked
    told = str(asked.body["messages"])
    assert told.index("My dog is called Rex.") < told.index("A fine name.") < told.index("What is my dog called?")


def test_a_call_that_waits_for_approval_is_told_with_the_agent(client: Letta, provider: Provider) -> None:
    rule: Any = {"type": "requires_approval", "tool_name": "memory_insert"}
    agent = made(client, tool_rules=[rule], memory_blocks=[{"label": "human", "value": ""}])
    provider.will(calls("memory_insert", label="human", new_string="x"), says("Done."))
    answer = client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Note x."}])
    assert answer.stop_reason.stop_reason == "requires_approval"
    assert client.agents.retrieve(agent.id).pending_approval is None
    waiting = client.agents.retrieve(agent.id, include=["agent.pending_approval"])
    assert waiting.last_stop_reason == "requires_approval"
    assert waiting.pending_approval
    assert waiting.pending_approval.tool_call.name == "memory_insert"


def test_the_form_of_replies_reaches_the_reasoner(client: Letta, provider: Provider) -> None:
    settings: Any = {"provider_type": "openai", "response_format": {"type": "json_object"}, "parallel_tool_calls": False}
    agent = made(client, model_settings=settings)
    provider.will(says("{}"))
    client.agents.messages.create(agent.id, messages=[{"role": "user", "content": "Answer in JSON."}])
    [asked] = provider.asked
    assert asked.body["response_format"] == {"type": "json_object"}
    assert asked.body["parallel_tool_calls"] is False
    with pytest.raises(UnprocessableEntityError):
        made(client, response_format={"type": "no_such_form"})


def test_deleting_an_agent_cancels_what_it_is_at(client: Letta, provider: Provider) -> None:
    agent = made(client)
    provider.will(says("one two three four five six seven eight nine ten", seconds=0.5))
    run = client.agents.messages.create_async(agent.id, messages=[{"role": "user", "content": "Take your time."}])
    client.agents.delete(agent.id)
    deadline = time.monotonic() + 10
    while (status := client.runs.retrieve(run.id).status) in ("created", "running") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status == "cancelled"
