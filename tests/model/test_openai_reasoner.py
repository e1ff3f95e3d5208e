from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from pagemind.errors import (
    ContextTooLong,
    PagemindError,
    ReasonerBusy,
    ReasonerCutOff,
    ReasonerError,
    ReasonerRefused,
    ReasonerTimeout,
    ReasonerUnreachable,
    ReplyTooLong,
)
from pagemind.model.openai_reasoner import OpenAIReasoner
from pagemind.records import CallPiece, Completion, Piece, Prompt, PromptMessage, TextPiece, ToolSchema
from pagemind.settings import Settings
from pagemind.testing.openai_server import (
    CHAT,
    MODELS,
    STREAM_HEAD,
    Held,
    OpenAIServer,
    Request,
    Write,
    answers,
    delta,
    streams,
)

pytestmark = pytest.mark.anyio

TOOL = ToolSchema("note", "Note it.", {"type": "object", "properties": {"pattern": {"type": "string", "maxLength": 5}}})
PROMPT = Prompt(messages=(PromptMessage("user", "Hi"),), tools=(TOOL,), max_reply_tokens=9)


@pytest.fixture
async def reasoner(server: OpenAIServer, settings: Settings) -> AsyncIterator[OpenAIReasoner]:
    made = OpenAIReasoner(settings, server.url, api_key="sk-very-secret")
    yield made
    await made.close()


async def pieces(reasoner: OpenAIReasoner, prompt: Prompt = PROMPT) -> list[Piece]:
    return [piece async for piece in reasoner.stream(prompt)]


async def whole(reasoner: OpenAIReasoner) -> Completion:
    last = (await pieces(reasoner))[-1]
    assert isinstance(last, Completion)
    return last


async def failure(reasoner: OpenAIReasoner) -> ReasonerError:
    with pytest.raises(ReasonerError) as caught:
        await pieces(reasoner)
    return caught.value


async def test_a_reply_streams_and_ends_with_its_usage(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}
    server.routes[CHAT] = streams(
        delta(role="assistant", content=None),
        delta(reasoning_content="hm"),
        delta(content="Hel"),
        delta(content="lo"),
        delta("stop"),
        {"choices": [], "usage": usage},
    )
    came = await pieces(reasoner)
    assert [piece.text for piece in came if isinstance(piece, TextPiece)] == ["Hel", "lo"]
    last = came[-1]
    assert isinstance(last, Completion)
    assert (last.text, last.reasoning, last.finish_reason, last.model) == ("Hello", "hm", "stop", "m")
    assert (last.usage.prompt_tokens, last.usage.cached_tokens, last.usage.completion_tokens) == (7, 5, 2)


async def test_the_request_says_what_the_prompt_says(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    server.routes[CHAT] = streams(delta("stop", content="ok"))
    await pieces(reasoner)
    request = server.seen[-1]
    assert request.headers["authorization"] == "Bearer sk-very-secret"
    assert request.body["model"] == "m"
    assert request.body["max_tokens"] == 9
    assert request.body["stream_options"] == {"include_usage": True}
    assert request.body["tools"][0]["function"]["parameters"]["properties"] == {"pattern": {"type": "string"}}


async def test_calls_in_odd_chunks_come_out_whole(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    server.routes[CHAT] = streams(
        {"choices": []},
        delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "no", "arguments": None}}]),
        delta(tool_calls=[{"index": 0, "function": {"name": "te", "arguments": ""}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": '{"x": '}}]),
        delta(tool_calls=[{"index": 1, "id": "b", "function": {"name": "note", "arguments": "{}"}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": "1}"}}]),
        delta("tool_calls", tool_calls=[{"id": "c", "function": {"name": "note"}}]),
    )
    came = await pieces(reasoner)
    last = came[-1]
    assert isinstance(last, Completion)
    assert [(call.id, call.name, call.arguments) for call in last.calls] == [
        ("a", "note", '{"x": 1}'),
        ("b", "note", "{}"),
        ("c", "note", "{}"),
    ]
    assert sum(isinstance(piece, CallPiece) for piece in came) == 3


async def test_a_missing_finish_reason_is_forgiven_after_the_usage_chunk(
    server: OpenAIServer, reasoner: OpenAIReasoner
) -> None:
    server.routes[CHAT] = streams(delta(content="Hi"), {"choices": [], "usage": {"prompt_tokens": 1}})
    assert (await whole(reasoner)).finish_reason == "stop"


async def test_an_empty_reply_is_a_reply(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    server.routes[CHAT] = streams(delta("stop"))
    assert (await whole(reasoner)).text == ""


async def test_a_server_that_is_down_is_unreachable(settings: Settings) -> None:
    reasoner = OpenAIReasoner(settings, "http://127.0.0.1:9/v1")
    assert isinstance(await failure(reasoner), ReasonerUnreachable)
    await reasoner.close()


async def test_a_url_that_is_none_is_unreachable(settings: Settings) -> None:
    reasoner = OpenAIReasoner(settings, "localhost:8000/v1")
    assert isinstance(await failure(reasoner), ReasonerUnreachable)
    await reasoner.close()


async def silence(request: Request, write: Write) -> None:
    await asyncio.sleep(3)


async def silence_after_a_word(request: Request, write: Write) -> None:
    await streams(delta(content="Hel"), done=False)(request, write)
    await asyncio.sleep(3)


@pytest.mark.parametrize("play", [silence, silence_after_a_word])
async def test_a_silent_server_times_out(server: OpenAIServer, reasoner: OpenAIReasoner, play: object) -> None:
    server.routes[CHAT] = silence if play is silence else silence_after_a_word
    start = time.monotonic()
    error = await failure(reasoner)
    assert isinstance(error, ReasonerTimeout)
    assert time.monotonic() - start < 2


async def test_a_slow_server_is_waited_for(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    server.routes[CHAT] = streams(*[delta(content="x")] * 4, delta("stop"), seconds=0.2)
    assert (await whole(reasoner)).text == "xxxx"


async def test_a_stream_cut_off_in_the_middle_is_told(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    server.routes[CHAT] = streams(delta(content="Hel"), done=False)
    assert isinstance(await failure(reasoner), ReasonerCutOff)


async def test_a_connection_broken_before_the_answer_is_told(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    async def hang_up(request: Request, write: Write) -> None:
        return None

    server.routes[CHAT] = hang_up
    assert isinstance(await failure(reasoner), ReasonerCutOff)


async def test_a_stream_that_is_not_json_is_told(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    server.routes[CHAT] = streams(b"data: {oops\n\n")
    assert isinstance(await failure(reasoner), ReasonerCutOff)


async def test_an_error_within_the_stream_is_told(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    server.routes[CHAT] = streams(delta(content="Hel"), {"error": {"message": "engine died"}})
    error = await failure(reasoner)
    assert isinstance(error, ReasonerCutOff)
    assert "engine died" in error.evidence


async def test_a_busy_server_says_when_to_come_back(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    server.routes[CHAT] = answers(429, {"error": {"message": "slow down sk-abcdefghijk"}}, "Retry-After: 7\r\n")
    error = await failure(reasoner)
    assert isinstance(error, ReasonerBusy)
    assert error.retry_after_seconds == 7
    assert "slow down ***" in error.evidence
    assert len([request for request in server.seen if request.path == CHAT]) == 1


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (500, "boom", ReasonerBusy),
        (503, "loading", ReasonerBusy),
        (401, "bad key sk-very-secret", ReasonerRefused),
        (404, "no such model", ReasonerRefused),
        (400, "bad tools", ReasonerRefused),
        (400, "This model's maximum context length is 4321 tokens. However, you requested 9000", ContextTooLong),
        (400, "the request exceeds the available context size, try increasing it", ContextTooLong),
    ],
)
async def test_each_status_has_its_error(
    server: OpenAIServer, reasoner: OpenAIReasoner, status: int, message: str, expected: type[PagemindError]
) -> None:
    server.routes[CHAT] = answers(status, {"error": {"message": message}})
    error = await failure(reasoner)
    assert type(error) is expected
    assert "very-secret" not in str(error)


async def endless_text(request: Request, write: Write) -> None:
    await write(STREAM_HEAD)
    chunk = f"data: {json.dumps(delta(content='x' * 1000))}\n\n".encode()
    for _ in range(50_000):
        await write(chunk)


async def endless_line(request: Request, write: Write) -> None:
    await write(STREAM_HEAD + b'data: {"choices": [{"delta": {"content": "')
    for _ in range(800):
        await write(b"x" * 65_536)


async def endless_error(request: Request, write: Write) -> None:
    await write(b"HTTP/1.1 500 X\r\nConnection: close\r\n\r\n")
    for _ in range(800):
        await write(b"x" * 65_536)


@pytest.mark.parametrize("name", ["text", "line", "error"])
async def test_fifty_megabytes_are_not_held(server: OpenAIServer, reasoner: OpenAIReasoner, name: str) -> None:
    server.routes[CHAT] = {"text": endless_text, "line": endless_line, "error": endless_error}[name]
    assert isinstance(await failure(reasoner), ReplyTooLong)
    await asyncio.sleep(0.1)
    assert server.sent_bytes < 12_000_000


async def test_a_reader_that_leaves_closes_the_connection(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    gone = asyncio.Event()

    async def until_gone(request: Request, write: Write) -> None:
        await write(STREAM_HEAD)
        try:
            while True:
                await write(f"data: {json.dumps(delta(content='x'))}\n\n".encode())
                await asyncio.sleep(0.01)
        finally:
            gone.set()

    server.routes[CHAT] = until_gone

    async def read() -> None:
        async for _ in reasoner.stream(PROMPT):
            pass

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.2)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await asyncio.wait_for(gone.wait(), 2)


async def test_the_window_is_the_servers_unless_set(server: OpenAIServer, settings: Settings) -> None:
    served = OpenAIReasoner(settings, server.url)
    assert served.window_tokens == 8192
    await served.learn()
    assert served.window_tokens == 4321
    bounded = OpenAIReasoner(settings, server.url, window_tokens=2000)
    await bounded.learn()
    assert bounded.window_tokens == 2000
    set_by_hand = OpenAIReasoner(settings.model_copy(update={"window_tokens": 1500}), server.url)
    assert set_by_hand.window_tokens == 1500
    for reasoner in (served, bounded, set_by_hand):
        await reasoner.close()


async def test_ollamas_window_is_the_one_it_really_uses(server: OpenAIServer, settings: Settings) -> None:
    server.routes[MODELS] = answers(200, {"data": [{"id": "nomic-embed-text"}, {"id": "q", "owned_by": "library"}]})
    server.routes["/api/show"] = answers(200, {"model_info": {"qwen3.context_length": 40960}, "parameters": "num_ctx 6000"})
    server.routes["/api/ps"] = answers(200, {"models": []})
    reasoner = OpenAIReasoner(settings, server.url)
    await reasoner.learn()
    assert (reasoner.model, reasoner.window_tokens) == ("q", 6000)
    await reasoner.close()


async def test_tokens_are_counted_by_the_server_once_each(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    server.routes["/tokenize"] = answers(200, {"count": 3, "tokens": [1, 2, 3]})
    await reasoner.learn()
    assert reasoner.tokens.exact
    asked = len(server.seen)
    assert [await reasoner.tokens.count("one two three") for _ in range(3)] == [3, 3, 3]
    assert len(server.seen) == asked + 1


async def test_llama_cpps_tokenizer_is_found_too(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    async def llama(request: Request, write: Write) -> None:
        tokens = request.body.get("content", "").split()
        await answers(200, {"tokens": list(range(len(tokens)))})(request, write)

    server.routes["/tokenize"] = llama
    await reasoner.learn()
    assert reasoner.tokens.exact
    assert await reasoner.tokens.count("one two three four") == 4


async def test_without_a_tokenizer_counts_are_estimates_and_say_so(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    await reasoner.learn()
    assert not reasoner.tokens.exact
    assert 5 <= await reasoner.tokens.count("The quick brown fox jumps over the lazy dog.") <= 15


async def test_a_call_that_the_server_did_not_parse_is_found_in_the_text(
    server: OpenAIServer, reasoner: OpenAIReasoner
) -> None:
    written = 'So be it.\n<tool_call>\n{"name": "note", "arguments": {"pattern": "x"}}\n</tool_call>'
    server.routes[CHAT] = streams(delta(content=written), delta("stop"))
    came = await pieces(reasoner)
    last = came[-1]
    assert isinstance(last, Completion)
    assert [(call.name, call.arguments) for call in last.calls] == [("note", '{"pattern": "x"}')]
    assert (last.text, last.finish_reason) == ("So be it.", "tool_calls")
    assert CallPiece("note") in came


async def test_background_calls_wait_for_a_place_and_others_never_do(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    held = Held(streams(delta("stop", content="ok")))
    server.routes[CHAT] = held
    background = [asyncio.create_task(pieces(reasoner, replace(PROMPT, background=True))) for _ in range(5)]
    await held.until(2)
    waited_for = [asyncio.create_task(pieces(reasoner)) for _ in range(3)]
    await held.until(3)
    await asyncio.sleep(0.1)
    assert server.asked(CHAT) == 2 + 3
    background.pop(0).cancel()
    await held.until(1)
    held.go()
    assert all([len(await call) > 1 for call in (*background, *waited_for)])
    assert server.asked(CHAT) == 5 + 3


async def test_of_two_slots_one_is_left_for_who_waits(server: OpenAIServer, reasoner: OpenAIReasoner) -> None:
    held = Held(streams(delta("stop", content="ok")))
    server.routes |= {CHAT: held, "/props": answers(200, {"total_slots": 2})}
    background = [asyncio.create_task(pieces(reasoner, replace(PROMPT, background=True))) for _ in range(3)]
    await held.until(1)
    await asyncio.sleep(0.1)
    assert server.asked(CHAT) == 1
    held.go()
    await asyncio.gather(*background)
    assert server.asked(CHAT) == 3
