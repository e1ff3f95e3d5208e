"""Which reasoner to use: the configured one, else the home folder's own server, else one on its usual port, else the demo."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from pagemind.errors import ReasonerError
from pagemind.model.connect import open_server
from pagemind.model.demo import DemoReasoner
from pagemind.model.local.joining import local_address
from pagemind.model.models import chat_models
from pagemind.model.reasoner import Reasoner
from pagemind.model.replicas import Replica, Replicas
from pagemind.settings import Settings

PORTS = (8000, 11434, 1234, 8080)
"""vLLM, Ollama, LM Studio, llama.cpp: the first of them that lists a chat model is taken."""
PROBE_SECONDS = 0.3
LEARN_SECONDS = 3.0
MOST_BYTES = 1_000_000


async def find_reasoner(
    settings: Settings,
    model_spec: Mapping[str, Any] | None = None,
    *,
    api_key: SecretStr | None = None,
    ports: Sequence[int] = PORTS,
) -> Reasoner:
    """The reasoner for an agent's ``model`` section (``endpoint``, ``name``, ``window_tokens``) and the settings.

    Several URLs with commas between them are replicas, with one key for all.
    ``api_key`` is the section's secret, resolved; the settings' key goes to the settings' URL only. A configured server that
    does not answer is an error at the first call, never a reason to fall back.
    """
    spec = model_spec or {}
    endpoint, window = spec.get("endpoint"), spec.get("window_tokens")
    configured = endpoint in (None, settings.reasoner_url)
    local = local_address(settings)
    url = endpoint or settings.reasoner_url or (local.url if local else await first_serving(ports))
    if not url or url == "demo":
        bounds = [tokens for tokens in (window, settings.window_tokens) if tokens]
        return DemoReasoner(min(bounds, default=None))
    if api_key is None and configured and settings.reasoner_url:
        api_key = settings.reasoner_api_key
    model = spec.get("name") or (settings.reasoner_model if configured else None)
    if local and url == local.url:
        model, api_key = spec.get("name") or local.model, api_key or local.key
    urls = dict.fromkeys(part.strip() for part in url.split(",") if part.strip())
    secret = api_key.get_secret_value() if api_key else ""
    members = [open_server(settings, each, model=model, api_key=secret, window_tokens=window) for each in urls or [url]]
    await asyncio.gather(*(met(member) for member in members))
    return members[0] if len(members) == 1 else Replicas(members)


async def met(member: Replica) -> None:
    """Ask a server what it is, now if it answers soon, else at the first call."""
    with contextlib.suppress(ReasonerError, TimeoutError):
        async with asyncio.timeout(LEARN_SECONDS):
            await member.learn()


async def first_serving(ports: Sequence[int]) -> str | None:
    """The base URL of the first of these local ports where a server lists a chat model; all are asked at once."""
    answers = await asyncio.gather(*(asyncio.to_thread(serves_models, port) for port in ports))
    return next((f"http://127.0.0.1:{port}/v1" for port, serves in zip(ports, answers, strict=True) if serves), None)


def serves_models(port: int) -> bool:
    """Whether an OpenAI-compatible server with a chat model listens there, and not just any web server."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", "/v1/models", headers={"Accept": "application/json"})
        response = connection.getresponse()
        answer: object = json.loads(response.read(MOST_BYTES)) if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return False
    finally:
        connection.close()
    return bool(chat_models(answer))
