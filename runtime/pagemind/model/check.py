"""What doctor asks of a reasoner: reachable, streams, calls a tool when it must, its window, its tokenizer."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from pagemind.errors import ReasonerError
from pagemind.model.reasoner import Reasoner
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
