"""Agent files: what stands in one of Letta's is here afterwards, and what cannot come along is said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from pagemind.api.letta.agent_file import Wishes, bundle_of, ids_of, parse
from pagemind.api.letta.agent_file_writing import file_of
from pagemind.api.letta.history import UNANSWERED
from pagemind.engine import archival
from pagemind.engine.agent_files import Brought, Bundle, bring_in, taken_out
from pagemind.engine.intake import take_in
from pagemind.errors import BadAgentFile, LabelTaken
from pagemind.records import Agent, Message
from pagemind.store import agents, blocks, files, folders
from pagemind.testing import Bench

from .samples import agent_file, alert, as_bytes, block, message, talk, tool, tool_call

pytestmark = pytest.mark.anyio


async def brought(chat: Bench, file: dict[str, Any], **asked: Any) -> Brought:
    """The file, brought in."""
    bundle = bundle_of(parse(as_bytes(file)), chat.runtime.settings.tenant_id, **asked)
    return await bring_in(chat.runtime.kernel, bundle, author="person:test")


async def out(chat: Bench, agent: Agent) -> Bundle:
    """The agent as it stands in the store."""
    async with chat.runtime.kernel.database.transaction() as session:
        return await taken_out(session, agent.id)


async def history(chat: Bench, agent: Agent) -> Sequence[Message]:
    """What was said in the agent's main conversation."""
    return (await out(chat, agent)).members[0].talks[0].messages


def why(result: Brought, what: str) -> str:
    """Why that was left out."""
    return next(each.why for each in result.left_out if each.what == what)


async def test_an_agent_comes_with_its_definition_blocks_tools_and_rules(chat: Bench) -> None:
    [agent] = (await brought(chat, agent_file())).agents
    bundle = await out(chat, agent)
    assert (agent.name, agent.description, agent.instructions) == (
        "Keeper",
        "Keeps a lighthouse.",
        "You keep the lighthouse.",
    )
    assert (agent.kind, agent.tags, agent.tools) == (
        "letta_v1_agent",
        ["sea", "night"],
        ["conversation_search", "memory_insert", "lamp"],
    )
    assert [(each.label, each.value, each.limit_chars, each.read_only, each.description) for each in bundle.blocks] == [
        ("persona", "I keep the lamp.", 100_000, True, ""),
        ("human", "Name: Mara", 3000, False, "Who speaks."),
    ]
    assert [(rule["type"], rule["tool_name"]) for rule in agent.rules] == [
        ("requires_approval", "lamp"),
        ("max_count_per_step", "memory_insert"),
    ]
    [lamp] = bundle.tools
    assert (lamp.name, lamp.needs_approval, lamp.parameters["required"]) == ("lamp", True, ["level"])
    assert "def lamp" in lamp.source
    assert (agent.model["temperature"], agent.model["max_reply_tokens"], agent.model["window_tokens"]) == (0.2, 900, 32_000)
    assert (agent.extra["model"], agent.extra["timezone"], agent.extra["metadata"]) == (
        "openai/gpt-4o-mini",
        "Europe/Lisbon",
        {"tower": 7},
    )


async def test_messages_come_in_order_with_their_roles_calls_and_unpacked_returns(chat: Bench) -> None:
    [agent] = (await brought(chat, agent_file())).agents
    said = await history(chat, agent)
    assert [(each.seq, each.role, each.content) for each in said] == [
        (1, "user", "I am Mara."),
        (2, "assistant", ""),
        (3, "tool", "Name: Mara"),
        (4, "tool", "'nothing'"),
        (5, "assistant", "Welcome, Mara."),
        (6, "user", "Light the lamp."),
        (7, "assistant", ""),
        (8, "approval", ""),
        (9, "tool", "set"),
        (10, "assistant", "It burns."),
    ]
    assert said[1].reasoning == "Worth keeping."
    assert [(call["id"], call["name"]) for call in said[1].calls or ()] == [
        ("c1", "memory_insert"),
        ("c2", "conversation_search"),
    ]
    assert [(each.call_id, each.name, each.status) for each in said[2:4]] == [
        ("c1", "memory_insert", "ok"),
        ("c2", "conversation_search", "error"),
    ]
    assert (said[6].needs_approval, said[7].approvals) == (
        True,
        [{"call_id": "c3", "approve": True, "reason": "it is dark"}],
    )
    assert said[0].created_at.isoformat() == "2026-04-02T08:01:00+00:00"


async def test_an_agent_that_came_goes_on_talking(chat: Bench) -> None:
    [agent] = (await brought(chat, agent_file(tool_rules=[]))).agents
    conversation = await chat.runtime.conversation(agent)
    chat.model.will("I remember you, Mara.")
    assert await chat.runtime.ask(conversation.id, "Who am I?") == "I remember you, Mara."
    asked = [part.content for part in chat.model.prompts[-1].messages if part.role == "user"]
    assert "I am Mara." in asked
    assert asked[-1] == "Who am I?"


async def test_what_cannot_come_along_is_said_with_the_reason(chat: Bench) -> None:
    file = agent_file(agent_type="hive_mind")
    file |= {"groups": [{"id": "group-0"}], "something_else": []}
    file["agents"][0]["tool_rules"].append({"type": "by_moonlight", "tool_name": "lamp"})
    result = await brought(chat, file)
    assert "MCP server" in why(result, "tool tide")
    assert "agents.update" in why(result, "value of secret HARBOUR_KEY of agent Keeper")
    assert "no groups" in why(result, "1 group of agents")
    assert why(result, "tool rule 'by_moonlight' of agent Keeper") == "it is not known here"
    assert why(result, "type hive_mind of agent Keeper") == "it is not known here; it runs as letta_v1_agent"
    assert result.agents[0].secrets == {}


async def test_a_tool_that_is_not_here_is_taken_off_the_agent(chat: Bench) -> None:
    file = agent_file()
    file["tools"][0]["name"] = "read_the_stars"
    result = await brought(chat, file)
    assert result.agents[0].tools == ["memory_insert", "lamp"]
    assert why(result, "tool read_the_stars of agent Keeper") == "there is no tool of that name here"


async def test_a_tool_of_the_same_name_stays_unless_it_is_to_be_overridden(chat: Bench) -> None:
    await brought(chat, agent_file())
    other = agent_file()
    other["tools"][2]["source_code"] = 'def lamp() -> str:\n    """Out."""\n    return "out"\n'
    result = await brought(chat, other)
    assert "another tool of that name" in why(result, "tool lamp")
    [before] = (await out(chat, result.agents[0])).tools
    assert "level" in before.source
    bundle = bundle_of(parse(as_bytes(other)), chat.runtime.settings.tenant_id)
    await bring_in(chat.runtime.kernel, bundle, author="person:test", override_tools=True)
    [after] = (await out(chat, result.agents[0])).tools
    assert after.source.startswith("def lamp() -> str")


async def test_a_call_without_a_return_gets_one_and_a_return_without_a_call_goes(chat: Bench) -> None:
    messages = [
        message(0, "system", "You keep the lighthouse."),
        message(1, "tool", name="lamp", tool_call_id="gone", tool_returns=[{"tool_call_id": "gone", "func_response": "x"}]),
        message(2, "user", "Light it."),
        message(3, "assistant", tool_calls=[tool_call("c9", "lamp", level=1)]),
        message(4, "user", "Well?"),
    ]
    inside = [each["id"] for each in messages]
    result = await brought(chat, agent_file(messages=messages, in_context_message_ids=inside))
    said = await history(chat, result.agents[0])
    assert [(each.role, each.content, each.status) for each in said] == [
        ("user", "Light it.", "ok"),
        ("assistant", "", "ok"),
        ("tool", UNANSWERED, "error"),
        ("user", "Well?", "ok"),
    ]
    assert "no counterpart" in why(result, "2 tool calls or returns of agent Keeper")


async def test_what_letta_said_in_a_users_place_is_no_users_message(chat: Bench) -> None:
    messages = [
        message(0, "system", "You keep the lighthouse."),
        message(1, "user", json.dumps({"type": "login", "last_login": "Never", "time": "now"})),
        message(2, "user", alert("Storm ahead.")),
        message(3, "user", json.dumps({"type": "heartbeat", "reason": "Go on.", "time": "now"})),
        message(4, "user", json.dumps({"type": "user_message", "message": "Hello.", "time": "now"})),
        message(5, "user", json.dumps({"type": "order", "lamps": 2})),
    ]
    inside = [each["id"] for each in messages]
    [agent] = (await brought(chat, agent_file(messages=messages, in_context_message_ids=inside))).agents
    assert [(each.role, each.content) for each in await history(chat, agent)] == [
        ("system", "Storm ahead."),
        ("system", "Go on."),
        ("user", "Hello."),
        ("user", '{"type": "order", "lamps": 2}'),
    ]


async def test_older_types_of_agents_thought_in_the_text_beside_a_call(chat: Bench) -> None:
    messages = [
        message(0, "system", "You keep the lighthouse."),
        message(1, "user", "Hello."),
        message(2, "assistant", "She greets me.", tool_calls=[tool_call("c1", "send_message", message="Hello.")]),
    ]
    inside = [each["id"] for each in messages]
    file = agent_file(messages=messages, in_context_message_ids=inside, agent_type="memgpt_v2_agent")
    [agent] = (await brought(chat, file)).agents
    _, spoken, _ = await history(chat, agent)
    assert (spoken.content, spoken.reasoning, agent.kind) == ("", "She greets me.", "memgpt_v2_agent")


SUMMARY = "Note.\nThe following is a summary of the previous messages:\n Mara came in March."


async def test_a_summary_stays_as_a_message_where_what_it_tells_of_is_not_in_the_file(chat: Bench) -> None:
    messages = [message(0, "system", "You keep the lighthouse."), message(1, "user", alert(SUMMARY)), message(2, "user", "Hi.")]
    inside = [each["id"] for each in messages]
    [agent] = (await brought(chat, agent_file(messages=messages, in_context_message_ids=inside))).agents
    assert [(each.role, each.content) for each in await history(chat, agent)] == [
        ("system", "What was said before, in short: Mara came in March."),
        ("user", "Hi."),
    ]


async def test_a_summary_stands_for_the_messages_that_were_out_of_the_window(chat: Bench) -> None:
    messages = [
        message(0, "system", "You keep the lighthouse."),
        message(1, "user", "I came in March."),
        message(2, "assistant", "Noted."),
        message(3, "user", alert(SUMMARY)),
        message(4, "user", "Hi."),
    ]
    inside = ["message-0", "message-3", "message-4"]
    [agent] = (await brought(chat, agent_file(messages=messages, in_context_message_ids=inside))).agents
    [talk_out] = (await out(chat, agent)).members[0].talks
    assert (talk_out.conversation.summary, talk_out.conversation.resident_from, talk_out.out) == ("Mara came in March.", 3, 2)
    assert [each.content for each in talk_out.messages] == ["I came in March.", "Noted.", "Hi."]


async def test_a_long_history_is_paged_out_down_to_the_low_watermark_and_found_by_search(chat: Bench) -> None:
    messages = [message(0, "system", "You keep the lighthouse.")]
    for number in range(1, 2001, 2):
        messages.append(message(number % 60, "user", f"Ship {number} passed. " + "The sea is calm tonight. " * 20))
        messages.append(message(number % 60, "assistant", f"Logged ship {number}."))
    messages = [each | {"id": f"message-{place}"} for place, each in enumerate(messages)]
    [agent] = (await brought(chat, agent_file(messages=messages, in_context_message_ids=["message-0"]))).agents
    conversation = await chat.runtime.conversation(agent)
    assert (conversation.next_seq, conversation.turns, conversation.resident_from) == (2001, 1000, 2001)
    file = agent_file(messages=messages, in_context_message_ids=[each["id"] for each in messages])
    [agent] = (await brought(chat, file)).agents
    conversation = await chat.runtime.conversation(agent)
    said = await history(chat, agent)
    resident = [each for each in said if (each.seq or 0) >= conversation.resident_from]
    window = min(32_000, chat.runtime.reasoner.window_tokens)
    assert 0 < sum(each.tokens for each in resident) <= 0.4 * window
    assert resident[0].role == "user"
    assert conversation.paged_out == conversation.resident_from - 1 == 2000 - len(resident)


async def test_the_same_file_by_the_same_ids_is_there_once(chat: Bench) -> None:
    first = await brought(chat, agent_file(), ids=ids_of("sha256:1"))
    again = await brought(chat, agent_file(), ids=ids_of("sha256:1"))
    assert (len(first.agents), first.messages, again.agents, again.known) == (1, 10, [], [first.agents[0].id])
    assert (again.blocks, again.tools, again.messages) == (0, 0, 0)
    copies = await brought(chat, agent_file())
    assert copies.agents[0].id != first.agents[0].id


async def test_a_deleted_agent_does_not_come_back(chat: Bench) -> None:
    [agent] = (await brought(chat, agent_file(), ids=ids_of("sha256:2"))).agents
    async with chat.runtime.kernel.database.transaction() as session:
        await agents.remove(session, await agents.get(session, agent.id))
    assert (await brought(chat, agent_file(), ids=ids_of("sha256:2"))).known == [agent.id]


async def test_wishes_change_the_name_the_secrets_and_the_model(chat: Bench) -> None:
    wishes = Wishes(name="Deputy", strip_messages=True, secrets={"HARBOUR_KEY": "k", "OTHER": "x"}, model="openai/gpt-4.1")
    [agent] = (await brought(chat, agent_file(), wishes=wishes)).agents
    assert (agent.name, agent.secrets, agent.extra["model"]) == ("Deputy", {"HARBOUR_KEY": "k"}, "openai/gpt-4.1")
    assert await history(chat, agent) == []
    [copy] = (await brought(chat, agent_file(), wishes=Wishes(copy_suffix=True))).agents
    assert copy.name == "Keeper_copy"


async def test_a_folder_comes_with_the_text_of_its_files(chat: Bench) -> None:
    file = agent_file(source_ids=["source-0"])
    file["sources"] = [{"id": "source-0", "name": "charts", "description": None, "instructions": "Read them."}]
    document = {"id": "file-0", "source_id": "source-0", "file_name": "charts/bay.txt", "content": "The bay is shallow."}
    file["files"] = [document, {**document, "id": "file-1", "file_name": "charts/empty.txt", "content": None}]
    result = await brought(chat, file)
    assert result.files == 1
    assert await take_in(chat.runtime.kernel)
    async with chat.runtime.kernel.database.transaction() as session:
        [folder] = await folders.attached(session, result.agents[0].id)
        assert list(await files.names(session, folder.id)) == ["bay.txt"]
    copy = await brought(chat, file)
    async with chat.runtime.kernel.database.transaction() as session:
        [second] = await folders.attached(session, copy.agents[0].id)
    assert second.name == f"charts {str(second.id)[:8]}"


async def test_two_agents_of_a_file_share_a_block(chat: Bench) -> None:
    file = agent_file()
    file["agents"].append(file["agents"][0] | {"id": "agent-1", "name": "Deputy", "messages": [], "in_context_message_ids": []})
    first, second = (await brought(chat, file)).agents
    async with chat.runtime.kernel.database.transaction() as session:
        standing = [await blocks.of_agent(session, each.id) for each in (first, second)]
    assert [each.id for each in standing[0]] == [each.id for each in standing[1]]
    assert len(standing[0]) == 2


async def test_nothing_is_stored_of_a_file_whose_agent_has_two_blocks_of_one_label(chat: Bench) -> None:
    file = agent_file()
    file["blocks"][1]["label"] = "human"
    with pytest.raises(LabelTaken):
        await brought(chat, file)
    assert [agent.name for agent in await chat.runtime.agents()] == ["test"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{nope", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[]", "no list `agents`"),
        (b'{"name": "old"}', "no list `agents`"),
        (b'{"agents": [{"name": "x"}]}', "agents.0.id: Field required"),
        (b'{"agents": "x"}', "agents: Input should be a valid list"),
        (b"[" * 100_000, "no JSON"),
    ],
)
async def test_a_file_that_is_none_is_refused_with_the_place(data: bytes, says: str) -> None:
    with pytest.raises(BadAgentFile, match=says.replace(".", r"\.")):
        parse(data)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"block_ids": ["block-9"]}, "block 'block-9'"),
        ({"tool_ids": ["tool-9"]}, "tool 'tool-9'"),
        ({"in_context_message_ids": ["message-99"]}, "'message-99' in its context"),
    ],
)
async def test_an_id_that_leads_nowhere_is_refused(chat: Bench, changed: dict[str, Any], says: str) -> None:
    with pytest.raises(BadAgentFile, match=says):
        await brought(chat, agent_file(**changed))


async def test_hostile_texts_are_stored_clean(chat: Bench) -> None:
    file = agent_file(name="a/b:\x00c", tags=["x\x00"], timezone="Mars/Base", metadata={"k\x00": "v\x00"})
    file["blocks"][0] |= {"label": "hu\nman", "value": "nul \x00 half \ud83d", "limit": 0}
    file["tools"].append(tool("tool-4", "beam", "custom", source_code="export const beam = 1", source_type="typescript"))
    file["tools"].append(tool("tool-5", "two words", "custom", source_code="x"))
    file["tools"].append(tool("tool-6", "archival_memory_insert", "custom", source_code="def archival_memory_insert(): ..."))
    file["agents"][0] |= {"max_files_open": -1, "per_file_view_window_char_limit": 2**60}
    result = await brought(chat, file)
    [agent] = result.agents
    assert {"max_files_open", "per_file_view_window_char_limit"}.isdisjoint(agent.extra)
    assert "can call" in why(result, "tool 'two words'")
    assert "built-in" in why(result, "tool archival_memory_insert")
    assert (agent.name, agent.tags, agent.extra["metadata"]) == ("a-b-c", ["x"], {"k": "v"})
    assert "timezone" not in agent.extra
    bundle = await out(chat, agent)
    assert [(each.label, each.value) for each in bundle.blocks][1] == ("hu-man", "nul  half \ufffd")
    assert "Python" in why(result, "tool beam")


async def test_an_export_holds_what_letta_imports_and_the_passages_beside(chat: Bench) -> None:
    [agent] = (await brought(chat, agent_file(), wishes=Wishes(secrets={"HARBOUR_KEY": "k"}))).agents
    draft = archival.Draft("The buoy is red.", ["sea"], extra={"n": 1})
    await archival.insert(chat.runtime.kernel, agent.id, draft, "person:test")
    file = file_of(chat.runtime.kernel, await out(chat, agent))
    [exported] = file["agents"]
    assert (exported["id"], exported["block_ids"], exported["secrets"]) == (
        "agent-0",
        ["block-0", "block-1"],
        {"HARBOUR_KEY": ""},
    )
    assert [(each["id"], each["name"], each["tool_type"]) for each in file["tools"]] == [
        ("tool-0", "conversation_search", "letta_core"),
        ("tool-1", "memory_insert", "letta_sleeptime_core"),
        ("tool-2", "lamp", "custom"),
    ]
    assert [each["role"] for each in exported["messages"]] == [each["role"] for each in talk()]
    assert exported["in_context_message_ids"] == [f"message-{number}" for number in range(10)]
    [passage] = file["passages"]
    assert (passage["agent_id"], passage["text"], passage["tags"]) == ("agent-0", "The buoy is red.", ["sea"])


async def test_an_export_imported_again_says_the_same(chat: Bench) -> None:
    [agent] = (await brought(chat, agent_file())).agents
    await archival.insert(chat.runtime.kernel, agent.id, archival.Draft("The buoy is red.", ["sea"]), "person:test")
    before = await out(chat, agent)
    result = await brought(chat, json.loads(as_bytes(file_of(chat.runtime.kernel, before))))
    after = await out(chat, result.agents[0])
    assert (result.passages, result.left_out) == (1, [])
    for kept in ("role", "content", "reasoning", "calls", "call_id", "name", "status", "approvals", "needs_approval"):
        assert [getattr(each, kept) for each in after.members[0].talks[0].messages] == [
            getattr(each, kept) for each in before.members[0].talks[0].messages
        ]
    assert [(each.label, each.value) for each in after.blocks] == [(each.label, each.value) for each in before.blocks]
    assert [each.text for each in after.shelves[0].passages] == ["The buoy is red."]
    assert (after.members[0].agent.rules, after.members[0].agent.tools) == (agent.rules, agent.tools)


async def test_an_export_without_messages_has_none(chat: Bench) -> None:
    [agent] = (await brought(chat, agent_file())).agents
    [exported] = file_of(chat.runtime.kernel, await out(chat, agent), scrub_messages=True)["agents"]
    assert (exported["messages"], exported["in_context_message_ids"]) == ([], [])


def test_a_block_longer_than_its_limit_keeps_its_text(settings: Any) -> None:
    file = agent_file()
    file["blocks"][0] = block("block-0", "human", "x" * 50, limit=10)
    bundle = bundle_of(parse(as_bytes(file)), settings.tenant_id)
    assert (len(bundle.blocks[0].value), bundle.blocks[0].limit_chars) == (50, 50)
