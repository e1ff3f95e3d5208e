"""Tools, as Letta's client makes, finds, changes, tries and attaches them; the server runs no source here."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from letta_client import (
    BadRequestError,
    ConflictError,
    Letta,
    NotFoundError,
    PermissionDeniedError,
    UnprocessableEntityError,
)
from letta_client.types import Tool

from pagemind.testing.openai_server import calls, says
from pagemind.testing.served import Provider, Served

MODEL = "openai/gpt-4o-mini"


def source_of(name: str, body: str = "return a + b", words: str = "Add two numbers.") -> str:
    return f'''def {name}(a: int, b: int = 2) -> int:
    """
    {words}

    Args:
        a (int): The first.
        b (int): The second.

    Returns:
        int: The sum.
    """
    {body}
'''


def unique(name: str = "add") -> str:
    return f"{name}_{uuid4().hex[:8]}"


def made(client: Letta, name: str, **more: Any) -> Tool:
    return client.tools.create(source_code=source_of(name), **more)


def agent_with(client: Letta, **more: Any) -> str:
    return client.agents.create(model=MODEL, embedding="openai/text-embedding-3-small", **more).id


@pytest.fixture
def runner(trusting: Served) -> Generator[Letta]:
    with Letta(base_url=trusting.url, max_retries=0, timeout=30) as opened:
        yield opened


def test_a_tool_is_made_from_source_with_its_schema(client: Letta) -> None:
    name = unique()
    tool = made(client, name, tags=["math"], return_char_limit=100)
    assert tool.id.startswith("tool-")
    assert (tool.name, tool.description, tool.tags, tool.tool_type) == (name, "Add two numbers.", ["math"], "custom")
    assert tool.json_schema == {
        "name": name,
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {
                "a": {"type": "integer", "description": "The first."},
                "b": {"type": "integer", "description": "The second."},
            },
            "required": ["a"],
        },
    }
    assert (tool.source_code, tool.return_char_limit, tool.args_json_schema) == (source_of(name), 100, {})
    assert (tool.source_type, tool.default_requires_approval, tool.enable_parallel_execution) == ("json", None, False)
    assert client.tools.retrieve(tool.id) == tool


def test_what_is_given_is_given_back(client: Letta) -> None:
    requirements: Any = [{"name": "requests", "version": "2.0"}]
    tool = made(
        client, unique(), source_type="python", description="Mine.", pip_requirements=requirements,
        npm_requirements=requirements,
        default_requires_approval=True, enable_parallel_execution=True,
    )  # fmt: skip
    assert (tool.source_type, tool.description) == ("python", "Mine.")
    assert (tool.default_requires_approval, tool.enable_parallel_execution) == (True, True)
    assert tool.pip_requirements
    assert tool.pip_requirements[0].version == "2.0"
    assert tool.npm_requirements
    assert tool.npm_requirements[0].name == "requests"


def test_the_same_name_changes_the_tool_in_its_place(client: Letta) -> None:
    name = unique()
    first = made(client, name, tags=["kept"])
    again = client.tools.create(source_code=source_of(name, words="Add again."))
    upserted = client.tools.upsert(source_code=source_of(name, words="And again."))
    assert first.id == again.id == upserted.id
    assert (again.description, upserted.description, upserted.tags) == ("Add again.", "And again.", ["kept"])


def test_upsert_makes_what_is_not_there(client: Letta) -> None:
    name = unique()
    assert client.tools.upsert(source_code=source_of(name)).name == name


def test_a_given_schema_goes_before_the_source(client: Letta) -> None:
    name = unique("given")
    schema: dict[str, object] = {
        "name": name,
        "description": "As given.",
        "parameters": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]},
    }
    tool = client.tools.create(source_code="def other(x):\n    return x\n", json_schema=schema)
    assert (tool.name, tool.description, tool.json_schema) == (name, "As given.", schema)


def test_a_schema_of_the_arguments_describes_what_the_signature_cannot(client: Letta) -> None:
    name = unique("order")
    item = {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"], "title": "Item"}
    schema: dict[str, object] = {
        "$defs": {"Item": item},
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/Item"}, "description": "What is bought."}},
        "required": ["items"],
    }
    tool = client.tools.create(source_code=f'def {name}(items):\n    """Order things."""\n', args_json_schema=schema)
    assert tool.args_json_schema == schema
    assert tool.json_schema
    parameters: Any = tool.json_schema["parameters"]
    assert parameters["properties"]["items"]["items"]["properties"] == {"sku": {"type": "string"}}
    assert parameters["required"] == ["items"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def broken(:", "Failed to parse source code"),
        ("x = 1", "No functions found in source code"),
        ("def nodoc(a: int) -> int:\n    return a\n", "Function nodoc missing docstring"),
        ('def notype(a):\n    """D.\n\n    Args:\n        a: b\n    """\n', "lacks a type annotation"),
        ('def nowords(a: int):\n    """D."""\n', "lacks a description in the docstring"),
        ("", "source_code"),
    ],
)
def test_a_bad_source_is_refused_with_the_reason(client: Letta, source: str, words: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        client.tools.create(source_code=source)
    assert words in caught.value.response.json()["detail"]


def test_bad_bodies_are_refused_with_the_field(client: Letta) -> None:
    name = unique()
    for more in ({"return_char_limit": 0}, {"return_char_limit": 10**9}, {"tags": "x"}, {"json_schema": [1]}):
        with pytest.raises(UnprocessableEntityError):
            client.tools.create(source_code=source_of(name), extra_body=more)
    with pytest.raises(UnprocessableEntityError, match="json_schema"):
        client.tools.create(source_code="export function f() {}", source_type="typescript")
    for schema in ({"name": "not a name"}, {"description": "x"}, {"name": name, "parameters": {"type": "array"}}):
        with pytest.raises(BadRequestError):
            client.tools.create(source_code="x", json_schema=dict(schema))


def test_typescript_comes_with_its_schema(client: Letta) -> None:
    name = unique("ts")
    tool = client.tools.create(source_code="export function f() {}", source_type="typescript", json_schema={"name": name})
    assert (tool.name, tool.source_type) == (name, "typescript")


def test_a_tool_is_changed_field_by_field(client: Letta) -> None:
    tool = made(client, unique(), tags=["old"])
    changed = client.tools.update(
        tool.id, description="New words.", tags=["new"], return_char_limit=7, default_requires_approval=True,
        metadata={"k": [1]},
    )  # fmt: skip
    assert (changed.description, changed.tags, changed.return_char_limit) == ("New words.", ["new"], 7)
    assert changed.default_requires_approval is True
    assert changed.metadata
    assert changed.metadata["k"] == [1]
    assert client.tools.retrieve(tool.id) == changed


def test_a_new_source_gives_a_new_schema(client: Letta) -> None:
    name = unique()
    tool = made(client, name)
    source = f'def {name}(q: str) -> str:\n    """Echo.\n\n    Args:\n        q: what\n    """\n    return q\n'
    changed = client.tools.update(tool.id, source_code=source)
    assert changed.description == "Echo."
    assert changed.json_schema
    assert changed.json_schema["parameters"] == {
        "type": "object",
        "properties": {"q": {"type": "string", "description": "what"}},
        "required": ["q"],
    }


def test_a_source_may_not_rename_a_tool_and_a_schema_may(client: Letta) -> None:
    tool, taken, new = made(client, unique()), made(client, unique("taken")), unique("new")
    agent = agent_with(client, tool_ids=[tool.id])
    with pytest.raises(BadRequestError, match="does not match"):
        client.tools.update(tool.id, source_code=source_of(new))
    with pytest.raises(BadRequestError, match="already exists"):
        client.tools.update(tool.id, json_schema={"name": taken.name, "parameters": {}})
    assert client.tools.update(tool.id, json_schema={"name": new, "description": "Renamed."}).name == new
    assert new in [each.name for each in client.agents.tools.list(agent)]


def test_a_deleted_tool_is_gone_from_its_agents_too(client: Letta) -> None:
    tool = made(client, unique())
    agent = agent_with(client, tool_ids=[tool.id])
    assert tool.name in [each.name for each in client.agents.tools.list(agent)]
    assert client.tools.delete(tool.id) is None
    assert tool.name not in [each.name for each in client.agents.tools.list(agent)]
    with pytest.raises(NotFoundError):
        client.tools.retrieve(tool.id)
    with pytest.raises(NotFoundError):
        client.tools.delete(tool.id)


def test_unknown_and_malformed_ids_are_told_apart(client: Letta) -> None:
    with pytest.raises(NotFoundError):
        client.tools.retrieve(f"tool-{uuid4()}")
    with pytest.raises(NotFoundError):
        client.tools.update(f"tool-{uuid4()}", description="x")
    with pytest.raises(UnprocessableEntityError):
        client.tools.retrieve("tool-1")


def test_the_tools_of_the_server_are_listed_with_lettas_types(client: Letta) -> None:
    types = {tool.name: tool.tool_type for tool in client.tools.list(limit=1000)}
    expected = {
        "conversation_search": "letta_core",
        "archival_memory_insert": "letta_core",
        "archival_memory_search": "letta_core",
        "core_memory_append": "letta_memory_core",
        "core_memory_replace": "letta_memory_core",
        "memory_insert": "letta_sleeptime_core",
        "memory_replace": "letta_sleeptime_core",
        "memory_rethink": "letta_sleeptime_core",
    }
    assert expected.items() <= types.items()
    [found] = client.tools.list(name="memory_insert")
    assert found.source_code is None
    assert found.tags == ["letta_sleeptime_core"]
    assert found.json_schema
    assert found.json_schema["name"] == "memory_insert"
    assert client.tools.retrieve(found.id) == found


def test_the_tools_of_the_server_can_be_neither_changed_nor_deleted_nor_replaced(client: Letta) -> None:
    [found] = client.tools.list(name="memory_insert")
    with pytest.raises(BadRequestError, match="comes with the server"):
        client.tools.update(found.id, description="x")
    with pytest.raises(BadRequestError, match="comes with the server"):
        client.tools.delete(found.id)
    with pytest.raises(ConflictError):
        client.tools.upsert(source_code=source_of("memory_insert"))


def test_the_list_can_be_narrowed(client: Letta) -> None:
    mark = uuid4().hex[:8]
    one, two = made(client, f"one_{mark}"), made(client, f"two_{mark}")
    names = [one.name or "", two.name or ""]
    assert [each.name for each in client.tools.list(search=mark.upper())] == names[::-1]
    assert [each.name for each in client.tools.list(search=mark, order="asc")] == names
    assert [each.name for each in client.tools.list(name=names[0])] == names[:1]
    assert {each.name for each in client.tools.list(names=names)} == set(names)
    assert {each.id for each in client.tools.list(tool_ids=[one.id, two.id])} == {one.id, two.id}
    assert {each.id for each in client.tools.list(tool_ids=[f"{one.id},{two.id}"])} == {one.id, two.id}
    assert {each.tool_type for each in client.tools.list(tool_types=["letta_core"])} == {"letta_core"}
    assert "custom" not in {each.tool_type for each in client.tools.list(exclude_tool_types=["custom"])}
    assert all((each.tool_type or "").startswith("letta_") for each in client.tools.list(return_only_letta_tools=True))
    assert client.tools.list(name="nobody").items == []
    with pytest.raises(BadRequestError, match="Invalid tool_type"):
        client.tools.list(tool_types=["bogus"])


def test_pages_go_through_all_tools_once(client: Letta) -> None:
    made(client, unique())
    everything = [tool.id for tool in client.tools.list(limit=1000)]
    assert [tool.id for tool in client.tools.list(limit=3)] == everything
    first = client.tools.list(limit=2)
    assert [tool.id for tool in first.items] == everything[:2]
    before = client.tools.list(limit=2, before=everything[5])
    assert [tool.id for tool in before.items] == everything[3:5]
    with pytest.raises(NotFoundError):
        client.tools.list(after=f"tool-{uuid4()}")


def test_the_tools_are_counted(client: Letta, server: Served) -> None:
    count = httpx.get(f"{server.url}/v1/tools/count").json()
    assert count == len(list(client.tools.list(limit=1000)))


def test_tools_are_found_by_words_and_by_meaning(client: Letta) -> None:
    mark = unique("zebra")
    client.tools.create(source_code=source_of(mark, words="Forecast the weather of a city."))
    best = client.tools.search(query=mark, search_mode="fts", limit=5)
    assert best[0].tool.name == mark
    assert (best[0].fts_rank, best[0].vector_rank) == (1, None)
    assert best[0].combined_score > 0
    patient = client.with_options(timeout=120)  # the embedder may still be loading
    near = patient.tools.search(query="will it rain tomorrow in Paris?", search_mode="vector", tool_types=["custom"], limit=3)
    assert mark in [each.tool.name for each in near]
    both = patient.tools.search(query="weather forecast", limit=5)
    assert len(both) <= 5
    assert [each.combined_score for each in both] == sorted((each.combined_score for each in both), reverse=True)
    assert client.tools.search(query="weather", tags=["no such tag"]) == []


def test_base_tools_are_always_there(client: Letta, server: Served) -> None:
    listed = httpx.post(f"{server.url}/v1/tools/add-base-tools").json()
    assert "conversation_search" in [tool["name"] for tool in listed]


def test_an_agents_tools_are_attached_and_detached(client: Letta) -> None:
    tool, agent = made(client, unique()), agent_with(client)
    assert client.agents.tools.attach(tool.id, agent_id=agent) is None
    assert client.agents.tools.attach(tool.id, agent_id=agent) is None
    names = [each.name for each in client.agents.tools.list(agent)]
    assert names[0] == tool.name
    assert names.count(tool.name) == 1
    assert client.agents.tools.detach(tool.id, agent_id=agent) is None
    assert client.agents.tools.detach(tool.id, agent_id=agent) is None
    assert tool.name not in [each.name for each in client.agents.tools.list(agent)]
    with pytest.raises(NotFoundError):
        client.agents.tools.attach(f"tool-{uuid4()}", agent_id=agent)
    with pytest.raises(NotFoundError):
        client.agents.tools.attach(tool.id, agent_id=f"agent-{uuid4()}")
    with pytest.raises(NotFoundError):
        client.agents.tools.list(f"agent-{uuid4()}")


def test_an_agents_tools_come_in_pages_of_ten(client: Letta) -> None:
    ids = [made(client, unique()).id for _ in range(9)]
    agent = agent_with(client, tool_ids=ids)
    page = client.agents.tools.list(agent)
    assert len(page.items) == 10
    assert [tool.id for tool in page.items[:9]] == ids[::-1]
    assert len(list(page)) == 12


def test_a_tool_of_the_server_is_attached_like_any_other(client: Letta) -> None:
    agent = agent_with(client)
    [found] = client.tools.list(name="archival_memory_insert")
    client.agents.tools.attach(found.id, agent_id=agent)
    assert "archival_memory_insert" in [each.name for each in client.agents.tools.list(agent)]


def test_approval_is_asked_for_and_waived(client: Letta, server: Served) -> None:
    tool = made(client, unique())
    agent = agent_with(client, tool_ids=[tool.id])
    name = tool.name or ""
    assert client.agents.tools.update_approval(name, agent_id=agent, body_requires_approval=True) is None
    rules: Any = client.agents.retrieve(agent).tool_rules
    assert [(rule.type, rule.tool_name) for rule in rules] == [("requires_approval", name)]
    address = f"{server.url}/v1/agents/{agent}/tools/approval/{name}"
    assert httpx.patch(address, params={"requires_approval": "false"}).json() is None
    assert client.agents.retrieve(agent).tool_rules == []
    assert httpx.patch(address).status_code == 422


def test_a_tool_that_wants_approval_by_default_brings_the_rule_along(client: Letta) -> None:
    tool, agent = made(client, unique(), default_requires_approval=True), agent_with(client)
    client.agents.tools.attach(tool.id, agent_id=agent)
    rules: Any = client.agents.retrieve(agent).tool_rules
    assert [rule.tool_name for rule in rules] == [tool.name]


def test_no_source_runs_where_the_operator_does_not_allow_it(client: Letta, server: Served) -> None:
    answer = httpx.post(f"{server.url}/v1/tools/run", json={"source_code": source_of("f"), "args": {"a": 1}})
    assert answer.status_code == 403
    assert "PAGEMIND_ALLOW_TOOL_SOURCE" in answer.json()["detail"]
    tool = made(client, unique())
    agent = agent_with(client, tool_ids=[tool.id])
    with pytest.raises(PermissionDeniedError):
        client.agents.tools.run(tool.name or "", agent_id=agent, args={"a": 1})


def test_a_source_is_tried_without_being_kept(trusting: Served, runner: Letta) -> None:
    def tried(source: str, **more: Any) -> Any:
        answer = httpx.post(f"{trusting.url}/v1/tools/run", json={"source_code": source, **more}, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    name = unique()
    told = tried(source_of(name, "print('adding'); return a + b"), args={"a": 40})
    assert (told["message_type"], told["status"], told["tool_return"], told["stdout"]) == (
        "tool_return_message", "success", "42", ["adding\n"],
    )  # fmt: skip
    assert told["tool_returns"][0]["tool_return"] == "42"
    failed = tried(source_of(name, "raise ValueError('no')"), args={"a": 1})
    assert failed["status"] == "error"
    assert "ValueError: no" in failed["tool_return"]
    assert "ValueError: no" in failed["stderr"][0]
    assert tried(source_of(name), args={"c": 1})["status"] == "error"
    read = '[os.environ.get(each) for each in ("V", "PAGEMIND_HOME")]'
    source = f'import os\ndef {name}() -> list:\n    """D."""\n    return {read}\n'
    assert tried(source, env_vars={"V": "z"})["tool_return"] == "['z', None]"
    assert httpx.post(f"{trusting.url}/v1/tools/run", json={"source_code": "def f("}).status_code == 400
    assert runner.tools.list(name=name).items == []


ECHO = '''import os

def {name}(q: str) -> dict:
    """Give back what came.

    Args:
        q: What comes.
    """
    print("x")
    return {{"q": q, "t": os.environ["T"]}}
'''


def test_an_agents_source_tool_runs_with_its_secrets(runner: Letta) -> None:
    name = unique("secret")
    source = ECHO.format(name=name)
    tool = runner.tools.create(source_code=source)
    agent = agent_with(runner, tool_ids=[tool.id], secrets={"T": "abc"})
    result = runner.agents.tools.run(name, agent_id=agent, args={"q": "a'\"\n"})
    assert (result.status, result.func_return, result.stdout) == ("success", {"q": "a'\"\n", "t": "abc"}, ["x\n"])
    assert runner.agents.tools.run(name, agent_id=agent, args={}).status == "error"
    with pytest.raises(NotFoundError):
        runner.agents.tools.run("nobody", agent_id=agent)
    with pytest.raises(NotFoundError):
        runner.agents.tools.run("archival_memory_insert", agent_id=agent, args={"content": "x"})


def test_a_tool_of_the_server_runs_without_the_model(client: Letta) -> None:
    blocks = [{"label": "human", "value": "Bo"}]
    agent = agent_with(client, tools=["archival_memory_insert", "core_memory_append"], memory_blocks=blocks)
    stored = client.agents.tools.run("archival_memory_insert", agent_id=agent, args={"content": "The sky is green."})
    assert stored.status == "success"
    assert [passage.text for passage in client.agents.passages.list(agent)] == ["The sky is green."]
    edited = client.agents.tools.run("core_memory_append", agent_id=agent, args={"label": "human", "content": "Likes tea."})
    assert edited.status == "success"
    assert client.agents.blocks.retrieve("human", agent_id=agent).value == "Bo\nLikes tea."
    wrong = client.agents.tools.run("core_memory_append", agent_id=agent, args={"label": "nothing", "content": "x"})
    assert wrong.status == "error"
    assert "human" in str(wrong.func_return)
    assert client.agents.tools.run("conversation_search", agent_id=agent, args={"query": "tea"}).status == "success"


def test_the_model_calls_a_tool_from_source_and_reads_what_it_gave(trusting: Served, runner: Letta) -> None:
    name = unique()
    tool = made(runner, name)
    agent = agent_with(runner, tool_ids=[tool.id])
    trusting.provider.will(calls(name, a=40), says("It is 42."))
    messages = runner.agents.messages.create(agent, input="Add 40 and 2.").messages
    returned: Any = next(message for message in messages if message.message_type == "tool_return_message")
    assert (returned.tool_return, returned.status) == ("42", "success")
    shown = next(each for each in trusting.provider.asked[0].body["tools"] if each["function"]["name"] == name)
    assert shown["function"]["description"] == "Add two numbers."


def test_the_model_is_told_where_source_may_not_run(client: Letta, provider: Provider) -> None:
    name = unique()
    tool = made(client, name)
    agent = agent_with(client, tool_ids=[tool.id])
    provider.will(calls(name, a=1), says("I cannot."))
    messages = client.agents.messages.create(agent, input="Add.").messages
    returned: Any = next(message for message in messages if message.message_type == "tool_return_message")
    assert returned.status == "error"
    assert "PAGEMIND_ALLOW_TOOL_SOURCE" in returned.tool_return


def test_a_schema_is_told_of_a_source(server: Served) -> None:
    answer = httpx.post(f"{server.url}/v1/tools/generate-schema", json={"code": source_of("add")})
    assert answer.json()["name"] == "add"
    assert httpx.post(f"{server.url}/v1/tools/generate-schema", json={"code": "x"}).status_code == 400


def test_two_at_once_make_one_tool(client: Letta, server: Served) -> None:
    name = unique()
    with Letta(base_url=server.url, max_retries=0) as other:
        tools = [each.tools.upsert(source_code=source_of(name)) for each in (client, other)]
    assert len({tool.id for tool in tools}) == 1


def test_text_that_no_store_takes_is_cleaned(client: Letta) -> None:
    name = unique()
    tool = made(client, name, description="a\0b", tags=["c\0d"])
    assert (tool.description, tool.tags) == ("ab", ["cd"])
