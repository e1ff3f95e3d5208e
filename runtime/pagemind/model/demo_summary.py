"""The demo reasoner's summary: sentences taken out of the messages, each with the number it can be looked up by."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pagemind.model.demo_rules import SENTENCE, Ask, Help, Thanks, fact_of, shorten, understand_sentence

EARLIER = re.compile(r"<earlier_summary>\n?(?P<text>.*?)\n?</earlier_summary>", re.S)
MESSAGES = re.compile(r"<messages>\n?(?P<text>.*)</messages>", re.S)
ENTRY = re.compile(r"^#(?P<seq>\d+) (?P<role>user|assistant|tool|notice)\b[^\n:]*?(?P<date>\d{4}-\d\d-\d\d): ", re.M)
STAMP = re.compile(r"<time>[^<]*</time>\s*")
TELLING = re.compile(r"\d+|\b[A-Z][a-z]{2,}\b")
REFERENCE = re.compile(r"\s*\([^()]*#\d+[^()]*\)\s*$")
SENTENCE_CHARS = 200


@dataclass(frozen=True)
class Line:
    """A line of the summary. ``weight`` says how much it tells; the lightest are dropped first."""

    text: str
    weight: float


def summary_lines(material: str) -> list[Line]:
    """The lines of the new summary: those of the earlier one, then one for each user message that tells something."""
    earlier = EARLIER.search(material)
    found = MESSAGES.search(material)
    kept = [Line(line, weigh(line)) for line in (earlier["text"].splitlines() if earlier else ()) if line.strip()]
    new = entries(found["text"] if found else EARLIER.sub("", material))
    return list({line.text: line for line in (*kept, *new)}.values())


def entries(text: str) -> list[Line]:
    """A line for each user message that tells something; where no message is marked, for the text's first sentences."""
    heads = list(ENTRY.finditer(text))
    if not heads:
        return [Line(sentence, weigh(sentence)) for sentence in telling(text)]
    ends = [head.start() for head in heads[1:]] + [len(text)]
    lines = [entry(head, text[head.end() : end]) for head, end in zip(heads, ends, strict=True) if head["role"] == "user"]
    return [line for line in lines if line]


def entry(head: re.Match[str], content: str) -> Line | None:
    """The line for one message: its first telling sentence, and every sentence that tells a fact of the user."""
    sentences = telling(STAMP.sub("", content))
    if not sentences:
        return None
    chosen = [sentence for at, sentence in enumerate(sentences) if at == 0 or fact_of(sentence)]
    text = shorten(" ".join(chosen), SENTENCE_CHARS)
    return Line(f"{text} ({head['date']}, #{head['seq']})", weigh(text))


def telling(text: str) -> list[str]:
    """The sentences that are neither questions nor greetings."""
    sentences = [part.strip() for part in SENTENCE.split(text.strip()) if part.strip()]
    return [
        sentence
        for sentence in sentences
        if not any(isinstance(said, Ask | Help | Thanks) for said in understand_sentence(sentence))
    ]


def weigh(text: str) -> float:
    """How much a line tells, its reference aside: names, numbers and facts of the user."""
    told = REFERENCE.sub("", text)
    return len(TELLING.findall(told)) + (5.0 if fact_of(told) else 0.0)
