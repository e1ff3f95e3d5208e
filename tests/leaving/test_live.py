"""``pagemind import letta``: everything comes from a server that runs, once, with its ids, whatever breaks on the way."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pagemind.api.letta.live import LettaServer
from pagemind.api.letta.live_reading import agents_of
from pagemind.cli.import_letta import bring
from pagemind.engine.agent_files import Bundle, taken_out
from pagemind.engine.intake import take_in
from pagemind.engine.runtime import Runtime
from pagemind.errors import BadAgentFile, LettaRefused, LettaUnreachable, UsageError
from pagemind.records import AgentIdentity
from pagemind.settings import Settings
from pagemind.store import blocks, files, folders, identities
from pagemind.testing.shell import Shell

from .fake_letta import AGENT, ARCHIVE, CHART, CHARTS, HUMAN, SECOND, TALK, FakeLetta, full, listening, message_id
from .samples import agent_file, as_bytes

pytestmark = pytest.mark.anyio


@pytest.fixture
async def letta() -> AsyncGenerator[FakeLetta]:
    async with listening(full()) as fake:
        yield fake


def uuid(wire_id: str) -> UUID:
    """The id behind the one on Letta's wire."""
    return UUID(wire_id.partition("-")[2])


async def imported(settings: Settings, capsys: pytest.CaptureFixture[str], source: str, **asked: Any) -> Any:
    """The report of an import, as JSON."""
    capsys.readouterr()
    words: dict[str, Any] = {"key": None, "only": [], "dry_run": False, "as_json": True, **asked}
    status = await bring(settings, source=source, **words)
    report = json.loads(capsys.readouterr().out)
    assert status == (1 if any(row["state"] == "failed" for row in report["agents"]) else 0)
    return report


async def out(settings: Settings, agent_id: str, conversation_id: str | None = None) -> Bundle:
    """The agent as it stands in the store."""
    async with await Runtime.open(settings, work=False) as runtime, runtime.kernel.database.transaction() as session:
        talk = None if conversation_id is None else uuid(conversation_id)
        return await taken_out(session, uuid(agent_id), conversation_id=talk)


async def names(settings: Settings) -> list[str]:
    """The agents that there are."""
    async with await Runtime.open(settings, work=False) as runtime:
        return [agent.name for agent in await runtime.agents()]


async def test_an_agent_comes_whole_and_keeps_its_ids(
    letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    report = await imported(settings, capsys, letta.url)
    assert [(row["name"], row["state"], row["messages"], row["passages"]) for row in report["agents"]] == [
        ("Keeper", "came", 157, 120),
        ("Deputy", "came", 0, 0),
    ]
    bundle = await out(settings, AGENT)
    [member] = bundle.members
    agent = member.agent
    assert (agent.name, agent.tags, agent.tools) == ("Keeper", ["sea"], ["lamp", "conversation_search"])
    assert (agent.secrets, agent.extra["origin"]) == ({"HARBOUR_KEY": "k"}, f"letta/{AGENT}")
    assert [(each.label, each.value) for each in bundle.blocks] == [("persona", "I keep the lamp."), ("human", "Name: Mara")]
    [shelf] = bundle.shelves
    assert (shelf.archive.id, shelf.archive.name, len(shelf.passages)) == (uuid(ARCHIVE), "Log", 120)
    first = next(each for each in shelf.passages if each.text == "Buoy 0.")
    assert (first.tags, first.extra, first.created_at.isoformat()) == (["sea"], {"n": 1}, "2026-03-01T00:00:00+00:00")


async def test_the_entries_of_a_message_are_one_message_again(
    letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await imported(settings, capsys, letta.url)
    [talk] = (await out(settings, AGENT)).members[0].talks
    said = talk.messages
    assert [each.content for each in said[:150]] == [f"Greeting {number}." for number in range(1, 151)]
    request, answer, returned, last = said[151:]
    assert (request.id, request.role, request.reasoning) == (uuid(message_id(153)), "assistant", "It is dark.")
    assert (request.needs_approval, request.calls) == (True, [{"id": "c1", "name": "lamp", "arguments": '{"level": 3}'}])
    assert (answer.role, answer.approvals) == ("approval", [{"call_id": "c1", "approve": True, "reason": ""}])
    assert (returned.role, returned.content, returned.call_id, returned.name) == ("tool", "set", "c1", "lamp")
    assert last.content == "It burns."


async def test_what_was_out_of_lettas_window_is_paged_out_behind_its_summary(
    letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await imported(settings, capsys, letta.url)
    conversation = (await out(settings, AGENT)).members[0].talks[0].conversation
    assert (conversation.main, conversation.summary, conversation.resident_from) == (True, "Greetings.", 151)


async def test_other_conversations_come_beside_the_main_one(
    letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await imported(settings, capsys, letta.url)
    [talk] = (await out(settings, AGENT, TALK)).members[0].talks
    assert (talk.conversation.title, talk.conversation.main) == ("Tides", False)
    assert [each.content for each in talk.messages] == ["When is high tide?", "At six."]


async def test_a_shared_block_stays_shared(letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    await imported(settings, capsys, letta.url)
    async with await Runtime.open(settings, work=False) as runtime, runtime.kernel.database.transaction() as session:
        for agent_id in (AGENT, SECOND):
            assert uuid(HUMAN["id"]) in [block.id for block in await blocks.of_agent(session, uuid(agent_id))]


async def test_folders_come_with_the_text_of_their_files_and_identities_by_their_key(
    letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    report = await imported(settings, capsys, letta.url)
    assert [row["files"] for row in report["agents"]] == [0, 1]
    async with await Runtime.open(settings, work=False) as runtime:
        assert await take_in(runtime.kernel)
        async with runtime.kernel.database.transaction() as session:
            [folder] = await folders.attached(session, uuid(SECOND))
            file = await files.get(session, folder.id, uuid(CHART["id"]), content=True)
            met = await identities.attached(session, AgentIdentity, [uuid(SECOND)])
    assert (folder.id, folder.name, folder.instructions) == (uuid(CHARTS["id"]), "charts", "Read them.")
    assert (file.name, file.text, file.chunks) == ("bay.txt", "The bay is shallow.", 1)
    assert [(each.identifier, each.name) for each in met[uuid(SECOND)]] == [("mara", "Mara")]


async def test_a_second_import_brings_nothing_twice(
    letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await imported(settings, capsys, letta.url)
    asked = len(letta.seen)
    again = await imported(settings, capsys, letta.url)
    assert [row["state"] for row in again["agents"]] == ["was here", "was here"]
    assert await names(settings) == ["Deputy", "Keeper"]
    assert len(letta.seen) - asked == 2
    assert len((await out(settings, AGENT)).members[0].talks[0].messages) == 155


async def test_an_import_that_was_broken_off_goes_on(
    letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    letta.refusing[f"/v1/agents/{SECOND}/messages"] = 400
    with pytest.raises(LettaRefused, match="answered 400"):
        await imported(settings, capsys, letta.url)
    assert await names(settings) == ["Keeper"]
    letta.refusing.clear()
    again = await imported(settings, capsys, letta.url)
    assert [row["state"] for row in again["agents"]] == ["was here", "came"]


async def test_a_server_that_is_busy_or_drops_connections_is_asked_again(letta: FakeLetta) -> None:
    letta.failing += [503, 0, 429, 500]
    async with LettaServer(letta.url, first_pause_seconds=0.001) as server:
        assert [agent["name"] async for agent in agents_of(server)] == ["Keeper", "Deputy"]


async def test_a_server_that_stays_broken_is_told_of(letta: FakeLetta) -> None:
    letta.failing += [503] * 5
    async with LettaServer(letta.url, first_pause_seconds=0.001) as server:
        with pytest.raises(LettaRefused, match="answered 503 to GET /v1/agents/"):
            await server.get("/v1/agents/")
    async with LettaServer("http://127.0.0.1:9", first_pause_seconds=0.001) as nobody:
        with pytest.raises(LettaUnreachable, match="does not answer"):
            await nobody.get("/v1/agents/")


async def test_another_kind_of_server_is_told_of(letta: FakeLetta) -> None:
    letta.lists["/v1/agents/"] = [{"name": "no id"}]
    async with LettaServer(letta.url) as server:
        with pytest.raises(LettaRefused, match="no list of objects with ids"):
            assert [agent async for agent in agents_of(server)]


async def test_an_agent_of_another_shape_is_told_of(
    letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    letta.lists[f"/v1/agents/{AGENT}/messages"] = [{"id": "message-1", "shape": "other"}]
    report = await imported(settings, capsys, letta.url)
    assert [row["state"] for row in report["agents"]] == ["failed", "came"]
    assert "message_type" in report["left_out"][0]["why"]


async def test_the_key_opens_the_server(letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    letta.key = "sesame"
    with pytest.raises(LettaRefused, match="--key"):
        await imported(settings, capsys, letta.url)
    report = await imported(settings, capsys, letta.url + "/v1/", key="sesame")
    assert [row["state"] for row in report["agents"]] == ["came", "came"]


async def test_a_dry_run_tells_and_stores_nothing(
    letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    report = await imported(settings, capsys, letta.url, dry_run=True)
    assert [(row["name"], row["state"], row["messages"], row["passages"]) for row in report["agents"]] == [
        ("Keeper", "would come", 157, 120),
        ("Deputy", "would come", 0, 0),
    ]
    assert report["left_out"] == [{"what": "group of agent Deputy", "why": "there are no groups here"}]
    assert await names(settings) == []


async def test_only_the_named_agents_come(letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    report = await imported(settings, capsys, letta.url, only=["Deputy"])
    assert [row["name"] for row in report["agents"]] == ["Deputy"]
    assert await names(settings) == ["Deputy"]


async def test_one_agent_that_cannot_be_read_does_not_keep_the_others_away(
    letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    letta.lists["/v1/agents/"][0]["tags"] = "sea"
    report = await imported(settings, capsys, letta.url)
    assert [(row["name"], row["state"]) for row in report["agents"]] == [("Keeper", "failed"), ("Deputy", "came")]
    assert "agents.0.tags" in report["left_out"][0]["why"]


async def test_forks_that_share_messages_come_each_with_its_own(
    letta: FakeLetta, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    letta.lists[f"/v1/conversations/{TALK}/messages"] = letta.lists[f"/v1/agents/{AGENT}/messages"][1:3]
    await imported(settings, capsys, letta.url)
    [talk] = (await out(settings, AGENT, TALK)).members[0].talks
    assert [each.content for each in talk.messages] == ["Greeting 1.", "Greeting 2."]


async def test_an_agent_file_comes_once_by_the_command_line(server_home: Path, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "keeper.af").write_bytes(as_bytes(agent_file()))
    shell = Shell(server_home, tmp_path, {"PAGEMIND_TENANT_ID": str(settings.tenant_id)})
    first = shell.ok("import", "letta", "keeper.af")
    assert "Keeper" in first
    assert "What could not come along:" in first
    assert "tool tide: it is on an MCP server" in first
    assert [row["state"] for row in shell.json("import", "letta", "keeper.af", "--json")["agents"]] == ["was here"]
    assert await names(settings) == ["Keeper"]


async def test_a_file_that_is_not_there_is_said(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadAgentFile, match=r"nowhere\.af"):
        await imported(settings, capsys, "nowhere.af")
    with pytest.raises(UsageError):
        await imported(settings, capsys, "nowhere.af", only=["Keeper"])
