"""What doctor asks of a reasoner: reachable, streams, calls a tool when it must, its window, its tokenizer, its extras."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pagemind.errors import ReasonerError
from pagemind.model.reasoner import Reasoner
from pagemind.model.traits import Traits
from pagemind.records import Completion, Piece, Prompt, PromptMessage, ToolSchema

CHECK_SECONDS = 60.0
REPLY_TOKENS = 64
CALL_TOKENS = 512
SMALL_WINDOW = 4096

PING = Prompt(messages=(PromptMessage("user", "Say hello."),), max_reply_tokens=REPLY_TOKENS)
NOTE = ToolSchema(
    "core_memory_append",
    "Append a line to a memory block.",
    {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": ["human"]}, "content": {"type": "string"}},
        "required": ["label", "content"],
        "additionalProperties": False,
    },
)
MUST_CALL = Prompt(
    messages=(
        PromptMessage("system", "Store what the user tells you with the tool core_memory_append."),
        PromptMessage("user", '<memory_blocks>\n<block label="human">\n\n</block>\n</memory_blocks>'),
        PromptMessage("user", "My name is Ada."),
    ),
    tools=(NOTE,),
    max_reply_tokens=CALL_TOKENS,
    tool_choice="required",
)


@dataclass(frozen=True)
class CheckResult:
    """One thing that was checked. ``fix`` says how to mend it; empty where nothing is to be mended."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


@runtime_checkable
class OfServers(Protocol):
    """A reasoner that knows what its servers can do."""

    @property
    def traits(self) -> tuple[tuple[str, Traits], ...]:
        """What is known of each server, under its name."""
        ...


async def check_reasoner(reasoner: Reasoner) -> list[CheckResult]:
    """Check a reasoner with two small calls, each bounded by ``CHECK_SECONDS``."""
    pieces = await asked(reasoner, PING)
    if isinstance(pieces, CheckResult):
        return [pieces]
    return [
        CheckResult("reachable", True, reasoner.name),
        check_streaming(pieces),
        check_call(await asked(reasoner, MUST_CALL)),
        check_window(reasoner),
        await check_tokens(reasoner),
        *(check_extras(pieces, reasoner.traits) if isinstance(reasoner, OfServers) else []),
    ]


async def asked(reasoner: Reasoner, prompt: Prompt) -> list[Piece] | CheckResult:
    """The pieces of one reply, or why there is none."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return [piece async for piece in reasoner.stream(prompt)]
    except ReasonerError as error:
        return CheckResult("reachable", False, f"{error.cause} {error.evidence}".strip(), error.fix)
    except TimeoutError:
        return CheckResult("reachable", False, f"no whole reply within {CHECK_SECONDS:g} s", "look at the reasoner's load")


def check_streaming(pieces: list[Piece]) -> CheckResult:
    """Whether the reply came in more than one piece before its end."""
    before = len(pieces) - 1
    fix = "" if before > 1 else "the server sends its replies whole: nothing is lost, but text appears late"
    return CheckResult("streams", before > 1, f"{before} pieces", fix)


def check_call(pieces: list[Piece] | CheckResult) -> CheckResult:
    """Whether a reply that had to call the tool did, with arguments that fit."""
    name = "calls tools"
    fix = "choose a model that can call tools; for vLLM start it with --enable-auto-tool-choice --tool-call-parser PARSER"
    if isinstance(pieces, CheckResult):
        return CheckResult(name, False, pieces.detail, fix)
    reply = pieces[-1]
    calls = reply.calls if isinstance(reply, Completion) else ()
    if not calls:
        return CheckResult(name, False, "it was told to call a tool and called none", fix)
    fits = calls[0].name == NOTE.name and valid(calls[0].arguments)
    detail = f"{calls[0].name} {calls[0].arguments[:80]}"
    strict = "the arguments do not fit the schema; for vLLM add --tool-strict-level parameter, else choose another model"
    return CheckResult(name, fits, detail, "" if fits else strict)


def valid(arguments: str) -> bool:
    """Whether the arguments are an object with the two strings that the tool asks for."""
    try:
        given: object = json.loads(arguments)
    except ValueError:
        return False
    return isinstance(given, dict) and all(isinstance(given.get(key), str) for key in ("label", "content"))  # pyright: ignore[reportUnknownMemberType]


def check_window(reasoner: Reasoner) -> CheckResult:
    """Whether the window leaves room for an agent's memory."""
    ok = reasoner.window_tokens >= SMALL_WINDOW
    fix = "" if ok else f"serve the model with at least {SMALL_WINDOW} tokens of context, or set PAGEMIND_WINDOW_TOKENS"
    return CheckResult("context length", ok, f"{reasoner.window_tokens} tokens", fix)


async def check_tokens(reasoner: Reasoner) -> CheckResult:
    """Whether tokens are counted by the model's own tokenizer. An estimate works too; usage reports correct it."""
    await reasoner.tokens.count("Hello")
    return CheckResult(
        "tokenizer", True, "exact" if reasoner.tokens.exact else "estimated, corrected by the usage of each reply"
    )


def check_extras(pieces: list[Piece], servers: tuple[tuple[str, Traits], ...]) -> list[CheckResult]:
    """What the servers can do beyond the plain wire. A fix is named where it is vLLM, which can do all of it."""
    reply = pieces[-1]
    reported = isinstance(reply, Completion) and reply.usage.cached_tokens is not None
    flag = "" if reported or not any(traits.vllm for _, traits in servers) else "start vLLM with --enable-prompt-tokens-details"
    return [
        CheckResult("prefix cache", not flag, "reports its hits" if reported else "does not report its hits", flag),
        *(result for name, traits in servers for result in check_traits(name, traits)),
    ]


def check_traits(name: str, traits: Traits) -> list[CheckResult]:
    """What one server can do: who goes first, whether prompts are counted exactly, whether thinking is kept."""
    if not traits.vllm:
        extras = "plain: no priorities, prompts counted text by text, earlier thinking not sent back"
        return [CheckResult("server", True, f"{name}: {extras}")]
    dialect = traits.dialect
    return [
        CheckResult("server", True, f"{name}: vLLM {traits.vllm}, {'' if dialect.strict else 'no '}strict arguments"),
        check_priority(refused=not dialect.priority),
        CheckResult(
            "prompt counts",
            traits.counts_chats,
            "exact, as its chat template prints them" if traits.counts_chats else "it does not print chats at /tokenize",
            "" if traits.counts_chats else "update vLLM: counts are corrected by the usage of each reply until then",
        ),
        check_template(traits),
    ]


def check_priority(*, refused: bool) -> CheckResult:
    """Whether background calls can go behind those that somebody waits for. A vLLM without priorities may ignore them."""
    if refused:
        fix = "start vLLM with --scheduling-policy priority"
        return CheckResult("priority", False, "refused: background calls compete with those that somebody waits for", fix)
    return CheckResult("priority", True, "sent, and heeded if it was started with --scheduling-policy priority")


def check_template(traits: Traits) -> CheckResult:
    """Whether the chat template keeps the thinking of earlier turns where it was."""
    name = "chat template"
    if traits.drops_thinking:
        fix = "serve it with a template that leaves earlier turns as they were; `pagemind up` has one for the Qwen family"
        return CheckResult(name, False, "drops or moves earlier thinking, so none is sent back", fix)
    return CheckResult(name, True, "keeps earlier thinking" if traits.keeps_thinking else "prints no thinking")
