from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from pydantic import SecretStr

from pagemind.errors import ReasonerUnreachable
from pagemind.model.check import check_reasoner
from pagemind.model.discover import find_reasoner
from pagemind.records import Prompt, PromptMessage
from pagemind.settings import Settings
from pagemind.testing.openai_server import CHAT, MODELS, OpenAIServer, Request, Write, answers, delta, openai_server, streams
from pagemind.testing.vllm_server import WordTemplate, dress_as_vllm

pytestmark = pytest.mark.anyio


async def test_nothing_found_is_the_demo_reasoner_and_says_so(settings: Settings) -> None:
    reasoner = await find_reasoner(settings, ports=())
    assert not reasoner.is_language_model
    assert "not a language model" in reasoner.name
    assert reasoner.window_tokens == 8192


async def test_demo_can_be_asked_for_with_its_window(settings: Settings) -> None:
    asked = settings.model_copy(update={"reasoner_url": "demo", "window_tokens": 4000})
    assert (await find_reasoner(asked)).window_tokens == 4000
    assert (await find_reasoner(asked, {"window_tokens": 3000})).window_tokens == 3000


async def test_the_first_usual_port_with_a_chat_model_is_taken(server: OpenAIServer, settings: Settings) -> None:
    async with openai_server() as other:
        other.routes[MODELS] = answers(200, {"data": [{"id": "text-embedding-nomic"}]})
        secret = settings.model_copy(update={"reasoner_api_key": SecretStr("sk-mine")})
        reasoner = await find_reasoner(secret, ports=(other.port, server.port))
        assert (reasoner.model, reasoner.url, reasoner.window_tokens) == ("m", server.url, 4321)
        assert all("sk-mine" not in str(request.headers) for request in (*server.seen, *other.seen))
        await reasoner.close()


@pytest.mark.parametrize("body", [[], {}, "hello", {"data": []}, {"data": ["m"]}, {"data": {"id": "m"}}, {"data": [{"id": 3}]}])
async def test_any_other_web_server_is_no_reasoner(server: OpenAIServer, settings: Settings, body: object) -> None:
    server.routes[MODELS] = answers(200, body)
    assert not (await find_reasoner(settings, ports=(server.port,))).is_language_model


async def test_a_port_that_only_hangs_costs_little(server: OpenAIServer, settings: Settings) -> None:
    async def hang(request: Request, write: Write) -> None:
        await asyncio.sleep(2)

    server.routes[MODELS] = hang
    start = asyncio.get_running_loop().time()
    assert not (await find_reasoner(settings, ports=(server.port,))).is_language_model
    assert asyncio.get_running_loop().time() - start < 1.0


async def test_a_configured_server_that_is_down_is_an_error_at_the_first_call(settings: Settings) -> None:
    reasoner = await find_reasoner(settings.model_copy(update={"reasoner_url": "http://127.0.0.1:9/v1"}))
    assert reasoner.is_language_model
    with pytest.raises(ReasonerUnreachable):
        async for _ in reasoner.stream(Prompt((PromptMessage("user", "Hi"),))):
            pass
    await reasoner.close()


async def test_an_agents_own_endpoint_gets_neither_the_settings_key_nor_their_model(
    server: OpenAIServer, settings: Settings
) -> None:
    general = settings.model_copy(update={"reasoner_api_key": SecretStr("sk-mine"), "reasoner_model": "other"})
    reasoner = await find_reasoner(general, {"endpoint": server.url, "window_tokens": 3000})
    assert (reasoner.model, reasoner.window_tokens) == ("m", 3000)
    assert all("sk-mine" not in str(request.headers) for request in server.seen)
    await reasoner.close()


async def test_doctor_is_told_what_a_server_can_and_cannot(server: OpenAIServer, settings: Settings) -> None:
    async def chat(request: Request, write: Write) -> None:
        call = {"index": 0, "id": "a", "function": {"name": "core_memory_append", "arguments": "{}"}}
        must = request.body.get("tool_choice") == "required"
        chunks = [delta("tool_calls", tool_calls=[call])] if must else [delta(content="Hel"), delta("stop", content="lo")]
        await streams(*chunks)(request, write)

    server.routes[CHAT] = chat
    reasoner = await find_reasoner(settings.model_copy(update={"reasoner_url": server.url}))
    results = {result.name: result for result in await check_reasoner(reasoner)}
    assert results["reachable"].ok
    assert results["streams"].ok
    assert not results["calls tools"].ok
    assert "--tool-strict-level" in results["calls tools"].fix
    assert "4321" in results["context length"].detail
    assert "estimated" in results["tokenizer"].detail
    await reasoner.close()


async def test_doctor_is_told_what_a_vllm_does_beyond_the_plain_wire(server: OpenAIServer, settings: Settings) -> None:
    dress_as_vllm(server, WordTemplate(keeps_thinking=False))
    reasoner = await find_reasoner(settings.model_copy(update={"reasoner_url": server.url}))
    results = {result.name: result for result in await check_reasoner(reasoner)}
    assert "vLLM 0.32.0, strict arguments" in results["server"].detail
    assert "--enable-prompt-tokens-details" in results["prefix cache"].fix
    assert (results["priority"].ok, results["prompt counts"].ok, results["chat template"].ok) == (True, True, False)
    assert "exact" in results["prompt counts"].detail
    assert results["chat template"].fix
    await reasoner.close()


async def test_doctor_is_told_of_a_plain_server_in_one_line(server: OpenAIServer, settings: Settings) -> None:
    server.routes[CHAT] = streams(delta("stop", content="ok"))
    reasoner = await find_reasoner(settings.model_copy(update={"reasoner_url": server.url}))
    results = {result.name: result for result in await check_reasoner(reasoner)}
    assert results["server"].ok
    assert results["prefix cache"].ok
    assert "priority" not in results
    await reasoner.close()


async def test_doctor_is_told_of_a_server_that_is_down(settings: Settings) -> None:
    reasoner = await find_reasoner(settings.model_copy(update={"reasoner_url": "http://127.0.0.1:9/v1"}))
    [result] = await check_reasoner(reasoner)
    assert (result.name, result.ok) == ("reachable", False)
    assert "PAGEMIND_REASONER_URL" in result.fix
    await reasoner.close()


def test_looking_for_a_reasoner_and_making_an_embedder_import_nothing_slow() -> None:
    program = (
        "import asyncio, sys\n"
        "from pagemind.settings import Settings\n"
        "from pagemind.model.discover import find_reasoner\n"
        "from pagemind.model.embedder import make_embedder\n"
        "asyncio.run(find_reasoner(Settings(reasoner_url='demo')))\n"
        "make_embedder(Settings())\n"
        "print([name for name in ('openai', 'httpx2', 'torch', 'transformers', 'numpy') if name in sys.modules])\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
