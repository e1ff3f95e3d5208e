"""What the demo reasoner does next: call tools, or say something. Pure, and it always ends."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pagemind.model.demo_rules import (
    Archive,
    Ask,
    Forget,
    Heard,
    Help,
    Intent,
    Tell,
    Thanks,
    overlap,
    shorten,
    stems,
    understand,
)
from pagemind.model.demo_view import BlockSeen, Done, Hit, Seen, hits_of
from pagemind.records import CallRequest

MOST_CALLS = 4
MOST_QUOTES = 2
QUERY_CHARS = 500
ECHO_CHARS = 16
"""A message that says no more than this beside the question is the question asked before (\"search for ...\")."""
SURE = 0.5
"""A block's line answers a question when it holds more than this share of the question's words."""

HELP = (
    "I am Pagemind's demo reasoner, a handful of rules and not a language model: tell me things (“my name is …”, “remember …”, "
    "“archive …”, “forget …”) and ask for them again (“what is my name?”, “search for …”).\n"
    "For real conversations set PAGEMIND_REASONER_URL to an OpenAI-compatible server, such as http://127.0.0.1:8000/v1 for "
    "vLLM; `pagemind doctor` checks it."
)
THANKS = "You're welcome."
HEARD = "Noted."
NO_RULE = (
    "I have no rule for that (I am the demo reasoner, not a language model). The message is kept, though: ask me to search for "
    "something in it later, or say “help”."
)
NOTHING = "I found nothing about that, neither in my blocks nor in the archive nor in our conversation."
MUDDLED = "Something went wrong with my last step, so I stop here. Your message is kept."

WRITERS = ("core_memory_append", "core_memory_replace", "memory_insert", "memory_replace", "archival_memory_insert")
SEARCHES = ("archival_memory_search", "conversation_search")


@dataclass(frozen=True)
class Say:
    """End the turn with this text."""

    text: str


@dataclass(frozen=True)
class Act:
    """Ask for these calls."""

    calls: tuple[CallRequest, ...]


Move = Say | Act


def next_move(seen: Seen) -> Move:
    """The next move; never more than ``MOST_CALLS`` calls since the newest user message."""
    intents = understand(seen.question)
    left = 0 if seen.muddled else MOST_CALLS - len(seen.done)
    calls = first_writes(intents, seen) if not seen.done else repairs(seen)
    if not calls and not any(done.call.name in SEARCHES for done in seen.done):
        calls = searches(intents, seen)
    if calls and left > 0:
        return Act(tuple(calls[:left]))
    return Say(compose(intents, seen))


# --- acting --------------------------------------------------------------------------------------------------------------


def call(name: str, **arguments: object) -> CallRequest:
    """A call with a fresh id."""
    return CallRequest(f"call_{secrets.token_hex(6)}", name, json.dumps(arguments, ensure_ascii=False))


def first_writes(intents: Iterable[Intent], seen: Seen) -> list[CallRequest]:
    """The calls that store, replace or strike what the message tells."""
    asked = (write_call(intent, seen) for intent in intents)
    return [made for made in asked if made]


def write_call(intent: Intent, seen: Seen) -> CallRequest | None:
    """The call for one intent; None where nothing is to be done, or no tool can do it."""
    match intent:
        case Tell(line, key):
            return note(line, key, seen)
        case Archive(text):
            return archive(text, seen)
        case Forget(about):
            return strike(about, seen)
        case Ask() | Help() | Thanks() | Heard():
            return None


def note(line: str, key: str, seen: Seen) -> CallRequest | None:
    """Put a line in a block, in place of the line of the same key."""
    block = notebook(seen)
    if block is None:
        return archive(line, seen)
    if line in block.lines:
        return None
    stale = next((old for old in block.lines if key and old.startswith(key)), None)
    return (stale and exchange(block.label, stale, line, seen)) or append(block.label, line, seen) or archive(line, seen)


def notebook(seen: Seen) -> BlockSeen | None:
    """The block to write to: ``human``, else the first other than the persona that may be written, else that."""
    writable = [block for block in seen.blocks if not block.read_only]
    return min(writable, key=lambda block: (block.label != "human", block.label == "persona"), default=None)


def append(label: str, line: str, seen: Seen) -> CallRequest | None:
    """The call that adds a line to a block, by whichever tool there is."""
    if "core_memory_append" in seen.tools:
        return call("core_memory_append", label=label, content=line)
    if "memory_insert" in seen.tools:
        return call("memory_insert", label=label, new_string=line)
    return None


def exchange(label: str, old: str, new: str, seen: Seen) -> CallRequest | None:
    """The call that replaces a text in a block, by whichever tool there is."""
    if "core_memory_replace" in seen.tools:
        return call("core_memory_replace", label=label, old_content=old, new_content=new)
    if "memory_replace" in seen.tools:
        return call("memory_replace", label=label, old_string=old, new_string=new)
    return None


def archive(text: str, seen: Seen) -> CallRequest | None:
    """The call that archives a text."""
    return call("archival_memory_insert", content=text) if "archival_memory_insert" in seen.tools else None


def strike(about: str, seen: Seen) -> CallRequest | None:
    """The call that takes the line about something out of its block, with its line break."""
    found = best_line(about, [block for block in seen.blocks if not block.read_only and block.label != "persona"])
    if found is None:
        return None
    block, line = found
    before, _, after = block.value.partition(line)
    whole = f"\n{line}" if before.endswith("\n") else f"{line}\n" if after.startswith("\n") else line
    return exchange(block.label, whole, "", seen)


def repairs(seen: Seen) -> list[CallRequest]:
    """What to do about refused writes: a full or locked block sends the line to the archive, a lost text is added anew."""
    tried = {written(done.call) for done in seen.done if done.call.name == "archival_memory_insert"}
    added = {written(done.call) for done in seen.done if done.call.name in ("core_memory_append", "memory_insert")}
    calls: list[CallRequest | None] = []
    for done in seen.done:
        line = written(done.call)
        if done.ok or done.call.name not in WRITERS or not line or line in tried:
            continue
        if "does not stand in" in done.result and line not in added:
            calls.append(append(done.argument("label"), line, seen))
        elif "does not stand in" not in done.result:
            calls.append(archive(line, seen))
    return [made for made in calls if made]


def written(request: CallRequest) -> str:
    """The text that a call writes."""
    return Done(request, "").argument("content", "new_content", "new_string")


def searches(intents: Sequence[Intent], seen: Seen) -> list[CallRequest]:
    """The searches for a question that the blocks do not answer."""
    asked = question_of(intents)
    if asked is None or from_blocks(asked, seen):
        return []
    query = shorten(asked.question.rstrip(" ?!."), QUERY_CHARS)
    # Only what people said is quoted (see `best_hits`), so the assistant's own lines must not take the places of that.
    narrowed: dict[str, dict[str, object]] = {"conversation_search": {"roles": ["user"]}}
    return [call(name, query=query, **narrowed.get(name, {})) for name in SEARCHES if name in seen.tools]


def question_of(intents: Iterable[Intent]) -> Ask | None:
    """The last question of a message: one is answered a turn."""
    asked = [intent for intent in intents if isinstance(intent, Ask)]
    return asked[-1] if asked else None


# --- answering -----------------------------------------------------------------------------------------------------------


def compose(intents: Sequence[Intent], seen: Seen) -> str:
    """The answer, out of what the tools gave back."""
    if seen.muddled:
        return MUDDLED
    parts = [report(done, seen) for done in seen.done if done.call.name not in SEARCHES]
    parts += [said for intent in intents if (said := remark(intent, seen))]
    if asked := question_of(intents):
        parts.append(answer(asked, seen))
    return "\n".join(dict.fromkeys(part for part in parts if part)) or NO_RULE


def report(done: Done, seen: Seen) -> str:
    """What one write came to."""
    line = shorten(written(done.call), 120)
    if not done.ok:
        handled = any(other.ok and written(other.call) == written(done.call) for other in seen.done)
        return "" if handled else f"That did not work. {shorten(done.result, 240)}"
    if done.call.name == "archival_memory_insert":
        if done.result.startswith("Already stored"):
            return f"It stands in the archive already: “{line}”."
        return f"I put it in the archive: “{line}”."
    if not line:
        return f"I struck it out: “{shorten(done.argument('old_content', 'old_string'), 120)}”."
    greeting = f"Nice to meet you, {line.removeprefix('Name: ')}. " if line.startswith("Name: ") else ""
    return f"{greeting}I noted it: “{line}”."


def remark(intent: Intent, seen: Seen) -> str:
    """What is to be said of an intent that needed no call, or got none."""
    match intent:
        case Help():
            return HELP
        case Thanks():
            return THANKS
        case Heard():
            return HEARD
        case Tell(line):
            known = any(line in block.lines for block in seen.blocks)
            return "" if done_about(line, seen) else f"I know that already: “{line}”." if known else no_room(seen)
        case Archive(text):
            return "" if done_about(text, seen) else no_room(seen)
        case Forget(about):
            struck = any("replace" in done.call.name for done in seen.done)
            return "" if struck else f"I have no note about “{shorten(about, 80)}”, so there was nothing to strike out."
        case Ask():
            return ""


def done_about(text: str, seen: Seen) -> bool:
    """Whether a call that wrote this text was made."""
    return any(written(done.call) == text for done in seen.done)


def no_room(seen: Seen) -> str:
    """Why something was not stored."""
    if len(seen.done) >= MOST_CALLS:
        return f"I take at most {MOST_CALLS} notes a message; please tell me the rest again."
    return "I have no tool to store that with; the message itself is kept."


def answer(asked: Ask, seen: Seen) -> str:
    """The answer to a question: lines of the blocks, else the best hits, word for word."""
    if lines := from_blocks(asked, seen):
        return "I know: " + "; ".join(lines) + "."
    found = [done for done in seen.done if done.call.name in SEARCHES]
    if not found:
        return "I have no tool to search with, and nothing in my blocks answers that."
    quotes = best_hits(asked.question, [hit for done in found if done.ok for hit in hits_of(done.result)])
    if quotes:
        return "I find: " + "\n".join(f"“{shorten(hit.text)}” ({hit.place})" for hit in quotes)
    failed = next((done for done in found if not done.ok), None)
    return f"The search did not work. {shorten(failed.result, 240)}" if failed else NOTHING


def from_blocks(asked: Ask, seen: Seen) -> list[str]:
    """The lines of the blocks that answer a question by themselves."""
    book = notebook(seen)
    if asked.whole and book and book.label != "persona":
        return book.lines
    wanted = stems(asked.question)
    about_it = " you " in f" {asked.question.lower()} " or " your " in f" {asked.question.lower()} "
    blocks = [block for block in seen.blocks if (block.label == "persona") == about_it]
    scored = [(overlap(wanted, line), line) for block in blocks for line in block.lines]
    best = max((score for score, _ in scored), default=0.0)
    return [shorten(line).rstrip(".") for score, line in scored if score == best and best > SURE]


def best_line(about: str, blocks: Sequence[BlockSeen]) -> tuple[BlockSeen, str] | None:
    """The line that shares most words with ``about``, if any does."""
    wanted = stems(about)
    lines = [(overlap(wanted, line), block, line) for block in blocks for line in block.lines]
    score, block, line = max(lines, key=lambda entry: entry[0], default=(0.0, None, ""))
    return (block, line) if block and score > 0 else None


def best_hits(question: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits that share most words with the question; the question itself and the assistant's own lines are no evidence."""
    wanted = stems(question)
    others = [hit for hit in hits if hit.role not in ("assistant", "tool") and not is_echo(question, hit)]
    ranked = sorted(others, key=lambda hit: -overlap(wanted, hit.text))
    best = [hit for hit in ranked if overlap(wanted, hit.text) > 0][:MOST_QUOTES]
    return list({hit.text: hit for hit in best}.values())


def is_echo(question: str, hit: Hit) -> bool:
    """Whether a message is only an earlier asking of the question: its words, with hardly anything around them."""
    plain, text = question.strip(" ?!.").lower(), hit.text.lower()
    return bool(hit.role) and plain in text and len(text) - len(plain) < ECHO_CHARS
