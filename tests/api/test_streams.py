"""Streams of runs, byte by byte and through the SDK; what happens to them when a listener, or the server, goes away."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import letta_client
import pytest
from letta_client import Letta

from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.openai_server import answers, calls, delta, says, streams
from pagemind.testing.served import Provider, Served, address, served
from pagemind.testing.shell import Shell

COMMON = ["id", "date", "name", "message_type", "otid", "sender_id", "step_id", "is_err", "seq_id", "run_id"]


@pytest.fixture
def agent(client: Letta) -> str:
    return client.agents.create(name="ada", model="openai/m", embedding="openai/e").id


def lines(url: str, body: dict[str, Any], limit: int | None = None) -> list[str]:
    """The lines of a stream that are not empty, at most ``limit``."""
    found: list[str] = []
    with httpx.stream("POST", url, json=body, timeout=30) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line:
                found.append(line)
            if limit is not None and len(found) >= limit:
                break
    return found


def data(found: list[str]) -> list[dict[str, Any]]:
    """The objects in the lines of data, without the end."""
    return [json.loads(line.removeprefix("data: ")) for line in found if line.startswith("data: {")]


def talk(server: Served, agent: str, text: str = "hello", **more: Any) -> list[str]:
    return lines(f"{server.url}/v1/agents/{agent}/messages", {"input": text, "streaming": True, **more})


def words(parts: list[dict[str, Any]]) -> str:
    return "".join(part["content"] for part in parts if part["message_type"] == "assistant_message")


def argument_pieces(name: str, *pieces: str) -> Any:
    first = {"index": 0, "id": "call_9", "type": "function", "function": {"name": name, "arguments": ""}}
    rest = [delta(tool_calls=[{"index": 0, "function": {"arguments": piece}}]) for piece in pieces]
    return streams(delta(tool_calls=[first]), *rest, delta("tool_calls"))


def test_a_stream_of_steps_is_lines_of_data_alone(server: Served, provider: Provider, agent: str) -> None:
    provider.will(says("Good morning."))
    found = talk(server, agent)
    assert all(line.startswith("data: ") for line in found)
    assert found[-1] == "data: [DONE]"
    ping, message, stop, usage = data(found)
    assert (ping["message_type"], ping["seq_id"]) == ("ping", None)
    assert ping["run_id"] == message["run_id"]
    assert ping["id"].startswith("ping-")
    assert list(message) == [*COMMON, "content"]
    assert message["content"] == "Good morning."
    assert stop == {"message_type": "stop_reason", "stop_reason": "end_turn"}
    assert (usage["message_type"], usage["step_count"]) == ("usage_statistics", 1)


def test_pings_can_be_left_out(server: Served, provider: Provider, agent: str) -> None:
    provider.will(says("Hi."))
    assert data(talk(server, agent, include_pings=False))[0]["message_type"] == "assistant_message"


def test_pieces_of_one_message_share_its_ids(server: Served, provider: Provider, agent: str) -> None:
    provider.will(says("one two three four"))
    parts = [part for part in data(talk(server, agent, stream_tokens=True)) if part["message_type"] == "assistant_message"]
    assert [part["content"] for part in parts] == ["one ", "two ", "three ", "four"]
    assert len({(part["id"], part["otid"], part["step_id"]) for part in parts}) == 1


def test_a_call_comes_in_pieces_its_return_whole(server: Served, client: Letta, provider: Provider, agent: str) -> None:
    text = '{"label":"human","new_string":"Likes tea."}'
    provider.will(argument_pieces("memory_insert", text[:10], text[10:25], text[25:]), says("Noted."))
    parts = data(talk(server, agent, stream_tokens=True))
    pieces = [part["tool_call"] for part in parts if part["message_type"] == "tool_call_message"]
    assert pieces[0] == {"name": "memory_insert", "tool_call_id": "call_9"}
    assert "".join(piece["arguments"] for piece in pieces[1:]) == text
    assert all(piece["tool_call_id"] == "call_9" and "name" not in piece for piece in pieces[1:])
    assert [part["tool_calls"] for part in parts if part["message_type"] == "tool_call_message"] == pieces
    assert sum(part["message_type"] == "tool_return_message" for part in parts) == 1
    kept = client.agents.messages.list(agent_id=agent).items[2]
    assert kept.id == next(part["id"] for part in parts if part["message_type"] == "tool_call_message")


def test_thinking_comes_before_words(server: Served, provider: Provider, agent: str) -> None:
    provider.will(streams(delta(reasoning_content="I "), delta(reasoning_content="think"), delta(content="So."), delta("stop")))
    parts = data(talk(server, agent, stream_tokens=True))
    thoughts = [part for part in parts if part["message_type"] == "reasoning_message"]
    assert [part["reasoning"] for part in thoughts] == ["I ", "think"]
    [said] = [part for part in parts if part["message_type"] == "assistant_message"]
    assert said["id"] == thoughts[0]["id"]
    assert said["otid"] != thoughts[0]["otid"]


def test_only_the_types_asked_for_are_streamed(server: Served, provider: Provider, agent: str) -> None:
    provider.will(calls("memory_insert", label="human", new_string="x"), says("Done."))
    parts = data(talk(server, agent, include_return_message_types=["tool_return_message"]))
    assert [part["message_type"] for part in parts] == ["ping", "tool_return_message", "stop_reason", "usage_statistics"]


def test_a_failure_after_the_beginning_is_an_event(server: Served, client: Letta, provider: Provider, agent: str) -> None:
    provider.will(answers(500, {"error": {"message": "scripted"}}))
    found = talk(server, agent)
    assert found[-3] == "event: error"
    assert json.loads(found[-4].removeprefix("data: ")) == {"message_type": "stop_reason", "stop_reason": "llm_api_error"}
    error = json.loads(found[-2].removeprefix("data: "))
    assert (error["message_type"], error["error_type"]) == ("error_message", "llm_error")
    assert found[-1] == "data: [DONE]"
    with pytest.raises(letta_client.APIStatusError):
        list(client.agents.messages.create(agent_id=agent, input="again", streaming=True))


def test_the_sdk_reads_a_stream(client: Letta, provider: Provider, agent: str) -> None:
    provider.will(calls("memory_insert", label="human", new_string="x"), says("Done."))
    kinds = [chunk.message_type for chunk in client.agents.messages.create(agent_id=agent, input="go", streaming=True)]
    assert kinds == [
        "ping", "tool_call_message", "tool_return_message", "assistant_message", "stop_reason", "usage_statistics",
    ]  # fmt: skip


def test_a_background_stream_goes_on_from_any_number(server: Served, provider: Provider, agent: str) -> None:
    provider.will(argument_pieces("memory_insert", '{"label":"human",', '"new_string":"x"}'), says("All is well now."))
    whole = data(talk(server, agent, stream_tokens=True, background=True))
    numbered = [part for part in whole if part.get("seq_id")]
    numbers = [part["seq_id"] for part in numbered]
    assert numbers == sorted(set(numbers))
    run = whole[0]["run_id"]
    for place, number in enumerate(numbers):
        rest = data(lines(f"{server.url}/v1/runs/{run}/stream", {"starting_after": number}))
        assert words(numbered[: place + 1]) + words(rest) == "All is well now."
        later = [part["seq_id"] for part in rest if part.get("seq_id")]
        assert all(each > number for each in later)
        assert [part["message_type"] for part in rest][-2:] == ["stop_reason", "usage_statistics"]


def test_last_event_id_is_a_number_too(server: Served, provider: Provider, agent: str) -> None:
    provider.will(says("one two"))
    whole = data(talk(server, agent, stream_tokens=True, background=True))
    first = next(part for part in whole if part["message_type"] == "assistant_message")
    url = f"{server.url}/v1/runs/{first['run_id']}/stream"
    rest = httpx.post(url, headers={"Last-Event-ID": str(first["seq_id"])}, timeout=30).text
    assert words(data(rest.splitlines())) == "two"


def test_a_run_outlives_its_listener(server: Served, client: Letta, provider: Provider, agent: str) -> None:
    provider.will(says("one two three four five six", seconds=0.1))
    body = {"input": "count", "streaming": True, "stream_tokens": True}
    run = data(lines(f"{server.url}/v1/agents/{agent}/messages", body, limit=2))[0]["run_id"]
    parts = data(lines(f"{server.url}/v1/runs/{run}/stream", {}))
    assert words(parts) == "one two three four five six"
    assert client.runs.retrieve(run).status == "completed"


def test_two_listeners_hear_the_same(server: Served, provider: Provider, agent: str) -> None:
    provider.will(says("one two three four", seconds=0.1))
    body = {"input": "count", "streaming": True, "stream_tokens": True, "background": True}
    first = data(lines(f"{server.url}/v1/agents/{agent}/messages", body, limit=2))
    again = data(lines(f"{server.url}/v1/runs/{first[0]['run_id']}/stream", {"starting_after": 1}))
    assert again[0] == {**first[1], "date": again[0]["date"]}
    assert words(again) == "one two three four"


def test_a_stream_can_be_found_by_its_conversation(server: Served, provider: Provider, client: Letta, agent: str) -> None:
    conversation = client.conversations.create(agent_id=agent)
    provider.will(says("Here."))
    list(client.conversations.messages.create(conversation.id, input="where?", background=True))
    assert words(data(lines(f"{server.url}/v1/conversations/{conversation.id}/stream", {"starting_after": 0}))) == "Here."


def test_unknown_runs_have_no_stream(client: Letta) -> None:
    with pytest.raises(letta_client.NotFoundError):
        list(client.runs.messages.stream("run-11111111-1111-4111-8111-111111111111"))
    with pytest.raises(letta_client.BadRequestError):
        client.runs.retrieve("zzz")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home folder of its own, whose database outlives a server."""
    database = EmbeddedPostgres(tmp_path / "home")
    database.join()
    yield tmp_path / "home"
    database.leave()


def test_a_stream_goes_on_after_the_server_was_killed(home: Path, tmp_path: Path) -> None:
    """Neither a piece lost nor one told twice, of what came before the server died and of what came after."""
    (tmp_path / "empty").mkdir()
    text = '{"label":"human","new_string":"Likes tea."}'
    with served(Shell(home, tmp_path / "empty")) as first:
        shell = Shell(home, tmp_path / "empty").under(
            PAGEMIND_REASONER_URL=first.provider.url, PAGEMIND_REASONER_RETRY_SECONDS="0.01"
        )
        with Letta(base_url=first.url, max_retries=0, timeout=30) as client:
            agent = client.agents.create(name="ada", model="openai/m", embedding="openai/e").id
        slow = says("this is never heard to its end", seconds=0.4)
        first.provider.will(argument_pieces("memory_insert", text[:9], text[9:]), slow)
        body = {"input": "go", "streaming": True, "stream_tokens": True, "background": True}
        before: list[dict[str, Any]] = []
        with httpx.stream("POST", f"{first.url}/v1/agents/{agent}/messages", json=body, timeout=30) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    before.append(json.loads(line.removeprefix("data: ")))
                if before and before[-1]["message_type"] == "tool_return_message":
                    break
            first.process.send_signal(signal.SIGKILL)
        first.process.wait(10)
        first.provider.will(says("It is noted."))
        process = shell.start("serve", "--port", "0")
        try:
            url = address(process)
            run, seen = before[0]["run_id"], before[-1]["seq_id"]
            after = data(lines(f"{url}/v1/runs/{run}/stream", {"starting_after": seen}))
            with Letta(base_url=url, max_retries=0, timeout=30) as client:
                assert client.runs.retrieve(run).status == "completed"
                kept = client.agents.messages.list(agent_id=agent).items
        finally:
            process.terminate()
            process.communicate(timeout=30)
    pieces = [part["tool_call"].get("arguments", "") for part in before if part["message_type"] == "tool_call_message"]
    assert "".join(pieces) == text
    assert [part["message_type"] for part in after][-2:] == ["stop_reason", "usage_statistics"]
    assert words(after) == "It is noted."
    assert not [part for part in after if part["message_type"] in ("tool_call_message", "tool_return_message", "ping")]
    assert [message.message_type for message in kept] == [
        "system_message", "user_message", "tool_call_message", "tool_return_message", "assistant_message",
    ]  # fmt: skip


def test_a_stream_can_be_found_by_its_message(server: Served, provider: Provider, client: Letta, agent: str) -> None:
    conversation = client.conversations.create(agent_id=agent)
    provider.will(says("First."), says("Second."))
    for number in (1, 2):
        message: Any = {"role": "user", "content": "hello", "otid": f"o-{number}"}
        list(client.conversations.messages.create(conversation.id, messages=[message], background=True))
    assert words(data(lines(f"{server.url}/v1/conversations/{conversation.id}/stream", {"otid": "o-1"}))) == "First."
