"""Requests of any form, made from the server's own description: whatever is sent, the server is never at fault.

Some hundred here; ``make fuzz-api`` sends 5,000 (``PAGEMIND_FUZZ_CASES``), in another order each time.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from letta_client import Letta
from schemathesis import Case, GenerationMode

from pagemind.store.embedded import EmbeddedPostgres
from pagemind.testing.openai_server import says
from pagemind.testing.served import Served, served
from pagemind.testing.shell import Shell

CASES = int(os.environ.get("PAGEMIND_FUZZ_CASES", "300"))
BOUNDED = "PAGEMIND_FUZZ_CASES" not in os.environ
ANSWER_SECONDS = 30
KNOWN_OF_TEN = 7
"""How often of ten an id in the path is that of something that is there."""
SPARED = {("DELETE", "/v1/agents/{agent_id}"), ("DELETE", "/v1/blocks/{block_id}")}
"""What would take away what the other cases are about."""


@dataclass
class Fuzzed:
    """A server with something of everything in it, and what it answered."""

    server: Served
    session: requests.Session
    ids: dict[str, str]
    statuses: Counter[int] = field(default_factory=Counter[int])
    faults: list[str] = field(default_factory=list[str])


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Fuzzed]:
    home = tmp_path_factory.mktemp("fuzzed")
    database = EmbeddedPostgres(home)
    database.join()
    patience = {"PAGEMIND_SERVE_BODY_SECONDS": "5", "PAGEMIND_MAX_SECONDS": "10"}
    with served(Shell(home, tmp_path_factory.mktemp("empty"), patience)) as running, requests.Session() as session:
        running.provider.will(says("Noted."))
        yield Fuzzed(running, session, furnish(running))
    database.leave()


def furnish(server: Served) -> dict[str, str]:
    """Make something of everything, as far as it can be made; its ids by the names they have in paths."""
    ids: dict[str, str] = {"block_label": "human", "tool_name": "memory_replace", "name": "fuzzed"}

    def make(name: str, path: str, body: dict[str, Any]) -> None:
        answer = httpx.post(server.url + path.format(**ids), json=body, timeout=30)
        if answer.status_code < 300:
            made: Any = answer.json()
            ids[name] = str(made["id"] if "id" in made else made[0]["id"])

    with Letta(base_url=server.url, max_retries=0) as client:
        blocks: Any = [{"label": "human", "value": "Ada."}]
        ids["agent_id"] = client.agents.create(name="fuzzed", model="openai-proxy/m", memory_blocks=blocks).id
    make("block_id", "/v1/blocks/", {"label": "other", "value": "x"})
    make("archive_id", "/v1/archives/", {"name": "archive"})
    make("passage_id", "/v1/agents/{agent_id}/archival-memory", {"text": "The door is blue."})
    make("folder_id", "/v1/folders/", {"name": "folder"})
    make("identity_id", "/v1/identities/", {"identifier_key": "ada", "name": "Ada", "identity_type": "user"})
    make(
        "tool_id",
        "/v1/tools/",
        {"source_code": 'def f(x: int) -> int:\n    """F.\n\n    Args:\n        x: X.\n    """\n    return x\n'},
    )
    make("conversation_id", "/v1/conversations/?agent_id={agent_id}", {})
    make("run_id", "/v1/agents/{agent_id}/messages/async", {"messages": [{"role": "user", "content": "Hi."}]})
    ids["memory_id"] = ids.get("passage_id", "")
    for name, path in (("message_id", "/v1/agents/{agent_id}/messages"), ("step_id", "/v1/steps/")):
        answer = httpx.get(server.url + path.format(**ids), timeout=30)
        if answer.status_code == 200 and answer.json():
            ids[name] = str(answer.json()[0]["id"])
    return ids


def test_whatever_is_sent_the_server_is_never_at_fault(fuzzed: Fuzzed) -> None:
    described: Any = schemathesis.openapi.from_url(f"{fuzzed.server.url}/openapi.json", timeout=60)
    found: list[Any] = [each.ok() for each in described.get_all_operations()]
    operations = [each for each in found if (each.method.upper(), each.path) not in SPARED]
    each = max(2, math.ceil(1.1 * CASES / len(operations)))  # some endpoints have fewer forms
    for operation in operations:
        for mode, share in ((GenerationMode.POSITIVE, each - each // 3), (GenerationMode.NEGATIVE, each // 3)):
            if share:
                send_cases(fuzzed, operation, mode, share)
    assert fuzzed.faults == [], "\n\n".join(fuzzed.faults)
    assert sum(fuzzed.statuses.values()) >= 0.5 * CASES
    assert sum(count for status, count in fuzzed.statuses.items() if status < 300) > 0.1 * sum(fuzzed.statuses.values())
    assert fuzzed.server.process.poll() is None
    print(f"\n{sum(fuzzed.statuses.values())} requests to {len(operations)} endpoints: {sorted(fuzzed.statuses.items())}")


def send_cases(fuzzed: Fuzzed, operation: Any, mode: GenerationMode, count: int) -> None:
    """Send so many cases of the operation."""

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=BOUNDED,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=st.integers(0, 9))
    def send(case: Case[Any], known: int) -> None:
        if known < KNOWN_OF_TEN and case.path_parameters:
            for name in case.path_parameters:
                case.path_parameters[name] = fuzzed.ids.get(name, case.path_parameters[name])
        send_case(fuzzed, case)

    try:
        send()
    except schemathesis.errors.SchemathesisError:
        pass  # there is nothing of that kind to be sent there
    except Exception as error:
        if type(error).__name__ not in ("Unsatisfiable", "SkipTest", "Skipped"):
            raise


def send_case(fuzzed: Fuzzed, case: Case[Any]) -> None:
    """Send it, and note how it was answered."""
    try:
        answer = case.call(session=fuzzed.session, timeout=ANSWER_SECONDS)
    except requests.exceptions.Timeout:
        fuzzed.faults.append(f"no answer within {ANSWER_SECONDS} s: {case.as_curl_command()[:2000]}")
        return
    except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError):
        return  # no client sends that
    fuzzed.statuses[answer.status_code] += 1
    if answer.status_code >= 500:
        fuzzed.faults.append(f"{answer.status_code} {answer.content[:300]!r}: {case.as_curl_command()[:2000]}")
