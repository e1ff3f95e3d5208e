from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagemind.errors import StoreUnavailable
from pagemind.records import CallRequest
from pagemind.settings import content_folder
from pagemind.toolbox.calls import CallResult, MalformedCalls, ReadyCall, cut_middle, run_call, validate
from pagemind.toolbox.registry import Registry, load_tools
from pagemind.toolbox.syscalls import Syscalls

pytestmark = pytest.mark.anyio
SHIPPED = load_tools([content_folder() / "tools"])
MINE = '''
import asyncio, sys, time
from pagemind.errors import StoreUnavailable

def add(a: int, b: float = 0.5, exact: bool = False) -> dict[str, float]:
    """Add."""
    return {"sum": a + b, "exact": exact}

def nothing() -> None:
    """Nothing."""

def fail(how: str) -> str:
    """Fail."""
    if how == "exit":
        sys.exit(3)
    if how == "store":
        raise StoreUnavailable("gone")
    if how == "stop":
        raise StopIteration
    raise ValueError("line one\\nline two")

async def slow() -> str:
    """Slow."""
    await asyncio.sleep(30)
    return "late"

def slow_in_thread() -> str:
    """Slow."""
    time.sleep(0.2)
    return "late"

def own_timeout() -> str:
    """Raise a time-out of its own."""
    raise TimeoutError("the other side")

def keyed(text: str, *, call_key: str) -> str:
    """Say it."""
    return f"{text}\\x00\\ud800 {call_key}"
'''


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder: Path = tmp_path_factory.mktemp("tools")
    (folder / "mine.py").write_text(MINE, encoding="utf-8")
    registry = load_tools([folder])
    assert registry.problems == ()
    return registry


def request(name: str, arguments: str = "{}", call_id: str = "1") -> CallRequest:
    return CallRequest(call_id, name, arguments)


def reason(requests: list[CallRequest], registry: Registry = SHIPPED, allowed: list[str] | None = None) -> str:
    checked = validate(requests, registry, list(registry) if allowed is None else allowed)
    assert isinstance(checked, MalformedCalls)
    return checked.reason


def ready(registry: Registry, name: str, arguments: str = "{}") -> ReadyCall:
    checked = validate([request(name, arguments)], registry, list(registry))
    assert not isinstance(checked, MalformedCalls), checked.reason
    return checked[0]


async def run(registry: Registry, name: str, system: Syscalls, arguments: str = "{}", limit_chars: int = 1000) -> CallResult:
    call = ready(registry, name, arguments)
    return await run_call(call, system, key="r/1/0", timeout_seconds=0.1, limit_chars=limit_chars)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("core_memory_append", '{"label": "human", ', "not valid JSON"),
        ("core_memory_append", '["human"]', "not a JSON object"),
        ("core_memory_append", '{"label": "human", "content": NaN}', "NaN is not a JSON number"),
        ("core_memory_append", "[" * 90_000, "nested too deep"),
        ("core_memory_append", '{"label": "human"}', "'content' is missing"),
        ("core_memory_append", "", "'label' is missing; 'content' is missing"),
        ("core_memory_append", '{"lable": "a", "content": "b"}', "Did you mean 'label'?"),
        ("core_memory_append", '{"label": ["a"], "content": "b"}', "'label': input should be a valid string"),
        ("core_memory_append", '{"label": null, "content": "b"}', "'label': input should be a valid string"),
        ("archival_memory_search", '{"query": "a", "top_k": "many"}', "'top_k': input should be a valid integer"),
        ("conversation_search", '{"query": "a", "roles": ["me"]}', "'roles.0': input should be 'user', 'assistant' or 'tool'"),
        ("core_memory_append", json.dumps({"label": "a", "content": "x" * 100_001}), "at most 100000"),
        ("core_memory_apend", "{}", "does not exist. Did you mean 'core_memory_append'?"),
        ("", "{}", "names no tool. Use one of: send_message_to_agent"),
    ],
)
def test_a_malformed_call_is_answered_with_what_to_do(name: str, arguments: str, words: str) -> None:
    assert words in reason([request(name, arguments)])


def test_a_tool_that_the_agent_may_not_use_is_malformed() -> None:
    assert "is not one of your tools. Use one of: memory_rethink." in reason(
        [request("conversation_search")], allowed=["memory_rethink"]
    )
    assert "answer in words" in reason([request("conversation_search")], allowed=[])


def test_calls_without_an_id_or_with_one_twice_are_malformed() -> None:
    good = '{"query": "a"}'
    assert "has no id" in reason([request("conversation_search", good, "")])
    twice = [request("conversation_search", good, "7"), request("conversation_search", good, "7")]
    assert reason(twice).startswith("call 2: the id '7' is used twice.")


def test_one_malformed_call_stops_them_all() -> None:
    given = [request("conversation_search", '{"query": "a"}', "1"), request("nope", "{}", "2")]
    assert reason(given).endswith("None of the calls was run.")


def test_too_many_calls_are_malformed() -> None:
    given = [request("conversation_search", '{"query": "a"}', str(number)) for number in range(33)]
    assert "at most 32" in reason(given)


def test_faults_beyond_the_first_few_are_counted() -> None:
    assert " And 2 more." in reason([request("nope", "{}", str(number)) for number in range(7)])


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        ('{"a": "5"}', {"a": 5}),
        ('{"a": 5.0, "b": "1.5", "exact": "true"}', {"a": 5, "b": 1.5, "exact": True}),
        ('{"a": 5, "b": null, "exact": null}', {"a": 5}),
    ],
)
def test_models_are_met_halfway_where_the_meaning_is_plain(mine: Registry, arguments: str, values: dict[str, Any]) -> None:
    assert ready(mine, "add", arguments).arguments == values


def test_a_number_is_taken_for_a_text_and_nothing_for_no_arguments(mine: Registry) -> None:
    assert ready(mine, "fail", '{"how": 5}').arguments == {"how": "5"}
    assert ready(mine, "nothing", " ").arguments == {}


def test_texts_are_cleaned_wherever_they_stand() -> None:
    call = ready(SHIPPED, "archival_memory_insert", '{"content": "a\\u0000\\ud83e b", "tags": ["\\u0000x"]}')
    assert call.arguments == {"content": "a\ufffd b", "tags": ["x"]}


@given(st.text(max_size=60) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_text_makes_validation_fail(text: str) -> None:
    checked = validate([request("memory_insert", text)], SHIPPED, list(SHIPPED))
    assert isinstance(checked, MalformedCalls)


async def test_results_become_text(mine: Registry, system: Syscalls) -> None:
    assert (await run(mine, "add", system, '{"a": 1}')).text == '{"exact": false, "sum": 1.5}'
    assert (await run(mine, "nothing", system)).text == "Done."


async def test_a_tool_gets_its_key_and_its_result_is_cleaned(mine: Registry, system: Syscalls) -> None:
    result = await run(mine, "keyed", system, '{"text": "hello"}')
    assert result.text == "hello\ufffd r/1/0"
    assert result.milliseconds > 0


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("value", "The tool failed: ValueError: line one line two"),
        ("exit", "The tool failed: SystemExit: 3"),
        ("stop", "The tool failed: RuntimeError: coroutine raised StopIteration"),
    ],
)
async def test_a_failing_tool_comes_back_as_one_line(mine: Registry, system: Syscalls, how: str, text: str) -> None:
    result = await run(mine, "fail", system, json.dumps({"how": how}))
    assert (result.status, result.text) == ("error", text)


async def test_a_failing_store_is_not_the_tools_affair(mine: Registry, system: Syscalls) -> None:
    with pytest.raises(StoreUnavailable):
        await run(mine, "fail", system, '{"how": "store"}')


@pytest.mark.parametrize("name", ["slow", "slow_in_thread"])
async def test_a_tool_that_takes_too_long_is_given_up(mine: Registry, system: Syscalls, name: str) -> None:
    result = await run(mine, name, system)
    assert result.status == "error"
    assert result.text.startswith(f"{name} did not finish within 0.1 s. It may or may not have taken effect")
    await asyncio.to_thread(lambda: [thread.join(1) for thread in threading.enumerate() if thread.name == "tool"])


async def test_a_time_out_of_the_tools_own_is_its_failure(mine: Registry, system: Syscalls) -> None:
    assert (await run(mine, "own_timeout", system)).text == "The tool failed: TimeoutError: the other side"


async def test_cancelling_passes_through(mine: Registry, system: Syscalls) -> None:
    running = asyncio.create_task(run_call(ready(mine, "slow"), system, key="", timeout_seconds=9, limit_chars=100))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_long_result_is_cut_in_the_middle(mine: Registry, system: Syscalls) -> None:
    result = await run(mine, "keyed", system, json.dumps({"text": "x" * 5000}), limit_chars=300)
    assert len(result.text) <= 300
    assert "characters left out" in result.text
    assert result.text.endswith("r/1/0")


@given(st.text(max_size=400), st.integers(0, 400))
def test_a_cut_text_is_never_longer_than_the_limit(text: str, limit: int) -> None:
    assert len(cut_middle(text, limit)) <= limit
    assert len(text) > limit or cut_middle(text, limit) == text
