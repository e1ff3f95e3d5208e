"""An agent behind OpenAI's endpoints, through the client that people have."""

from __future__ import annotations

import base64
import math
import struct
import time
from collections.abc import Generator
from typing import Any

import httpx
import openai
import pytest
from letta_client import Letta
from openai import OpenAI

from pagemind.testing.openai_server import answers, calls, delta, says, streams
from pagemind.testing.served import Provider, Served

OWN_TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a town.",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}


@pytest.fixture
def openai_client(server: Served) -> Generator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=30) as opened:
        yield opened


@pytest.fixture
def agent(client: Letta) -> str:
    """The id of a fresh agent, as the name of a model."""
    blocks: Any = [{"label": "human", "value": "Nothing is known."}]
    return client.agents.create(name="ada", model="openai/m", embedding="openai/e", memory_blocks=blocks).id


def ask(client: OpenAI, agent: str, *said: str, **more: Any) -> Any:
    create: Any = client.chat.completions.create
    return create(model=agent, messages=[{"role": "user", "content": text} for text in said], **more)


def prompt(provider: Provider, index: int = -1) -> list[dict[str, Any]]:
    return provider.asked[index].body["messages"]


def test_each_agent_is_a_model(openai_client: OpenAI, client: Letta, agent: str) -> None:
    only = client.agents.create(name=f"only-{agent}", model="openai/m", embedding="openai/e")
    listed = {model.id for model in openai_client.models.list()}
    assert f"only-{agent}" in listed
    assert openai_client.models.retrieve(agent).id == agent
    assert openai_client.models.retrieve(only.id).owned_by == "pagemind"


def test_an_agent_answers_a_chat_completion(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(says("Good morning."))
    answer = ask(openai_client, agent, "Hello!")
    assert answer.choices[0].message.content == "Good morning."
    assert (answer.choices[0].finish_reason, answer.model, answer.object) == ("stop", agent, "chat.completion")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_only_what_follows_the_last_answer_is_new(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(says("Noted."), says("Tea."))
    ask(openai_client, agent, "I like tea.")
    history: Any = [
        {"role": "user", "content": "I like tea."},
        {"role": "assistant", "content": "Noted."},
        {"role": "user", "content": "What do I like?"},
    ]
    answer = openai_client.chat.completions.create(model=agent, messages=history)
    assert answer.choices[0].message.content == "Tea."
    said = [message["content"] for message in prompt(provider) if message["role"] == "user"]
    assert sum("I like tea." in text for text in said) == 1
    assert "What do I like?" in said[-1]


def test_a_history_without_anything_new_is_refused(openai_client: OpenAI, agent: str) -> None:
    history: Any = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]
    with pytest.raises(openai.BadRequestError, match="nothing new"):
        openai_client.chat.completions.create(model=agent, messages=history)


def test_a_stream_brings_the_words_as_they_come_and_the_usage_last(
    openai_client: OpenAI, provider: Provider, agent: str
) -> None:
    provider.will(says("One two three."))
    chunks = list(ask(openai_client, agent, "Count.", stream=True, stream_options={"include_usage": True}))
    text = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert "".join(text) == "One two three."
    assert len(text) > 1
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens >= 0) == ([], True)
    assert len({chunk.id for chunk in chunks}) == 1


def test_thoughts_and_tools_at_work_come_as_reasoning(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    thinking = streams(delta(reasoning_content="Tea, then."), delta(content="You like tea."), delta("stop"))
    provider.will(calls("memory_insert", label="human", new_string="Likes tea."), thinking)
    answer = ask(openai_client, agent, "I like tea.")
    assert answer.choices[0].message.content == "You like tea."
    assert "memory_insert" in answer.choices[0].message.reasoning_content
    assert "Tea, then." in answer.choices[0].message.reasoning_content


def test_each_user_has_a_conversation_of_its_own(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(says("Yes."))
    ask(openai_client, agent, "I am Ada, the first.", user="ada")
    ask(openai_client, agent, "I am Bob.", user="bob")
    said = " ".join(message["content"] for message in prompt(provider))
    assert "I am Bob." in said
    assert "the first" not in said
    ask(openai_client, agent, "And again.", user="ada")
    assert "the first" in " ".join(message["content"] for message in prompt(provider))


def test_a_call_of_the_callers_tool_goes_out_and_its_return_comes_in(
    openai_client: OpenAI, provider: Provider, agent: str
) -> None:
    provider.will(calls("weather", town="Bern"), says("It rains in Bern."))
    asked: Any = [{"role": "user", "content": "What is the weather in Bern?"}]
    first = openai_client.chat.completions.create(model=agent, messages=asked, tools=[OWN_TOOL])
    [call] = first.choices[0].message.tool_calls or []
    assert first.choices[0].finish_reason == "tool_calls"
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("weather", '{"town": "Bern"}')
    returned: Any = [
        *asked,
        {"role": "assistant", "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": "rain"},
    ]
    second = openai_client.chat.completions.create(model=agent, messages=returned, tools=[OWN_TOOL])
    assert second.choices[0].message.content == "It rains in Bern."
    assert prompt(provider)[-1]["role"] == "tool"
    assert "rain" in prompt(provider)[-1]["content"]


def test_parts_of_text_are_read_and_an_image_is_refused(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(says("Yes."))
    parts: Any = [{"role": "user", "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]}]
    openai_client.chat.completions.create(model=agent, messages=parts)
    assert "One.\nTwo." in prompt(provider)[-1]["content"]
    image: Any = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}]
    with pytest.raises(openai.BadRequestError, match="reads text only"):
        openai_client.chat.completions.create(model=agent, messages=image)


def test_an_unknown_agent_is_no_model(openai_client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        ask(openai_client, "nobody-of-that-name", "Hello?")
    assert refused.value.code == "model_not_found"


def test_what_is_not_of_the_form_is_refused_with_the_field(openai_client: OpenAI, agent: str, server: Served) -> None:
    with pytest.raises(openai.BadRequestError, match="temperature"):
        ask(openai_client, agent, "Hello?", temperature=9)
    answer = httpx.post(f"{server.url}/v1/chat/completions", content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_a_reasoner_that_fails_is_an_error_that_is_not_repeated(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(answers(400, {"error": {"message": "no such thing"}}))
    with pytest.raises(openai.APIStatusError) as failed:
        ask(openai_client, agent, "Hello?")
    assert failed.value.status_code == 502
    assert failed.value.response.headers["x-should-retry"] == "false"
    with pytest.raises(openai.APIError):
        list(ask(openai_client, agent, "Hello?", stream=True))


def test_the_same_key_says_it_once(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(says("Yes."))
    key = {"Idempotency-Key": f"key-{agent}"}
    first = ask(openai_client, agent, "Only once.", extra_headers=key)
    second = ask(openai_client, agent, "Only once.", extra_headers=key)
    assert first.id == second.id
    assert second.choices[0].message.content == "Yes."
    assert len(provider.asked) == 1
    with pytest.raises(openai.UnprocessableEntityError):
        ask(openai_client, agent, "Something else.", extra_headers=key)


def test_the_clients_own_repetition_joins_the_run_of_its_first_try(
    openai_client: OpenAI, provider: Provider, agent: str
) -> None:
    provider.will(says("Yes."))
    first = ask(openai_client, agent, "Only once.")
    second = ask(openai_client, agent, "Only once.", extra_headers={"x-stainless-retry-count": "1"})
    assert (first.id, len(provider.asked)) == (second.id, 1)
    assert ask(openai_client, agent, "Only once.").id != first.id


def test_a_reply_that_is_cut_off_says_so(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(streams(delta(content="This is cut"), delta("length")))
    answer = ask(openai_client, agent, "Talk on.")
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("This is cut", "length")


def test_a_response_is_a_run_that_can_be_read_again(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(says("Good morning."))
    made = openai_client.responses.create(model=agent, input="Hello!", metadata={"from": "a test"})
    assert (made.output_text, made.status, made.model) == ("Good morning.", "completed", agent)
    again = openai_client.responses.retrieve(made.id)
    assert (again.output_text, again.metadata, again.id) == ("Good morning.", {"from": "a test"}, made.id)
    assert again.usage is not None
    with pytest.raises(openai.NotFoundError):
        openai_client.responses.retrieve("resp_none")


def test_a_response_goes_on_from_the_one_before(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(says("Yes."))
    first = openai_client.responses.create(model=agent, input="I am Eve.", user="eve")
    second = openai_client.responses.create(model=agent, input="Who am I?", previous_response_id=first.id)
    assert second.conversation == first.conversation
    assert "I am Eve." in " ".join(message["content"] for message in prompt(provider))
    assert first.conversation is not None
    third = openai_client.responses.create(model=agent, input="Still here?", conversation=first.conversation.id)
    assert third.conversation == first.conversation


def test_the_events_of_a_response_come_in_order(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(says("One two three."))
    events = list(openai_client.responses.create(model=agent, input="Count.", stream=True))
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "One two three."
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "One two three."
    replayed = list(openai_client.responses.retrieve(last.response.id, stream=True))
    assert replayed[-1].type == "response.completed"
    assert replayed[-1].response.output_text == "One two three."


def test_the_sdks_own_helper_streams_a_response(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(says("One two three."))
    with openai_client.responses.stream(model=agent, input="Count.") as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert stream.get_final_response().output_text == text == "One two three."


def test_a_response_in_the_background_is_read_until_it_is_there(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(says("At last, there it is.", seconds=0.1))
    made = openai_client.responses.create(model=agent, input="Take your time.", background=True)
    assert made.status in ("queued", "in_progress")
    for _ in range(100):
        made = openai_client.responses.retrieve(made.id)
        if made.status == "completed":
            break
        time.sleep(0.1)
    assert made.output_text == "At last, there it is."


def test_a_response_is_cancelled(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(says("word " * 200, seconds=0.1))
    made = openai_client.responses.create(model=agent, input="Talk on and on.", background=True)
    assert openai_client.responses.cancel(made.id).status == "cancelled"


def test_a_function_call_of_a_response_waits_for_its_output(openai_client: OpenAI, provider: Provider, agent: str) -> None:
    provider.will(calls("weather", town="Bern"), says("It rains."))
    tools: Any = [{"type": "function", **OWN_TOOL["function"]}]
    first = openai_client.responses.create(model=agent, input="Weather in Bern?", tools=tools)
    [call] = [item for item in first.output if item.type == "function_call"]
    returned: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}]
    second = openai_client.responses.create(model=agent, input=returned, tools=tools, previous_response_id=first.id)
    assert second.output_text == "It rains."


def test_texts_are_embedded_as_numbers_and_as_base64(openai_client: OpenAI, server: Served) -> None:
    answer = openai_client.embeddings.create(model="all-MiniLM-L6-v2", input=["tea", "coffee"])
    assert [item.index for item in answer.data] == [0, 1]
    first = answer.data[0].embedding
    assert len(first) == 384
    assert math.isclose(sum(value * value for value in first), 1, abs_tol=1e-3)
    body = {"model": "all-MiniLM-L6-v2", "input": "tea", "encoding_format": "base64"}
    packed = httpx.post(f"{server.url}/v1/embeddings", json=body).json()["data"][0]["embedding"]
    assert struct.unpack("<384f", base64.b64decode(packed)) == pytest.approx(first, abs=1e-5)


def test_another_embedding_model_or_size_is_refused(openai_client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="all-MiniLM-L6-v2"):
        openai_client.embeddings.create(model="text-embedding-3-small", input="tea")
    with pytest.raises(openai.BadRequestError, match="dimensions"):
        openai_client.embeddings.create(model="all-MiniLM-L6-v2", input="tea", dimensions=7)
    with pytest.raises(openai.BadRequestError):
        openai_client.embeddings.create(model="all-MiniLM-L6-v2", input=[])
