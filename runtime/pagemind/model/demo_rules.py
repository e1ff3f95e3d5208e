"""What the demo reasoner understands of a message: its rules as data, and the small functions that apply them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

LINE_CHARS = 300


@dataclass(frozen=True)
class Tell:
    """Something to keep in a block: ``line``, in place of the line that begins with ``key`` where one stands there."""

    line: str
    key: str = ""


@dataclass(frozen=True)
class Archive:
    """Something to put in the archive."""

    text: str


@dataclass(frozen=True)
class Forget:
    """Something to strike from the blocks."""

    about: str


@dataclass(frozen=True)
class Ask:
    """Something to look for. ``whole`` asks for everything known of the user."""

    question: str
    whole: bool = False


@dataclass(frozen=True)
class Help:
    """A greeting, or the question what this is."""


@dataclass(frozen=True)
class Thanks:
    """A courtesy."""


@dataclass(frozen=True)
class Heard:
    """A line of other people's conversation, with its time: nobody asks anything of us, whatever it says."""


Intent = Tell | Archive | Forget | Ask | Help | Thanks | Heard


@dataclass(frozen=True)
class Fact:
    """A sentence that tells a fact: the ``line`` to note of it, and the ``key`` that such lines begin with, if only one may."""

    pattern: re.Pattern[str]
    line: str
    key: str = ""


VERBS = {
    "like": "Likes",
    "love": "Loves",
    "prefer": "Prefers",
    "hate": "Hates",
    "enjoy": "Enjoys",
    "dislike": "Dislikes",
    "work": "Works",
    "study": "Studies",
    "speak": "Speaks",
}

FACTS = (
    Fact(
        re.compile(
            r"^(?:hi|hello|hey)?,?\s*(?:my name(?: is|['’]s)|(?:you can |please )?call me|i(?: am|['’]m) called) (?P<x>.+)",
            re.I,
        ),
        "Name: {x}",
        "Name:",
    ),
    Fact(
        re.compile(r"^(?:(?i:hi|hello|hey))?,?\s*I(?: am|['’]m) (?P<x>[A-Z][\w'’-]+(?: [A-Z][\w'’-]+){0,2})$"),
        "Name: {x}",
        "Name:",
    ),
    Fact(re.compile(r"^i (?:now |currently )?live in (?P<x>.+)", re.I), "Lives in {x}", "Lives in"),
    Fact(re.compile(r"^i(?:['’]ve| have)? (?:just )?moved to (?P<x>.+)", re.I), "Lives in {x}", "Lives in"),
    Fact(re.compile(r"^i(?: am|['’]m| come) from (?P<x>.+)", re.I), "Comes from {x}", "Comes from"),
    Fact(re.compile(r"^i (?P<verb>work|study) (?P<x>(?:at|as|for|in|with) .+)", re.I), "{verb} {x}", "{verb}"),
    Fact(
        re.compile(
            r"^i (?:really |also |do |just |absolutely )*(?P<verb>like|love|prefer|hate|enjoy|dislike|speak) (?P<x>.+)", re.I
        ),
        "{verb} {x}",
    ),
    Fact(re.compile(r"^my (?P<k>[\w'’ -]{2,40}?)(?:['’]s name)? (?:is|are) (?P<x>.+)", re.I), "{k}: {x}", "{k}:"),
)

POLITE = r"^(?:please\s+|(?:can|could|would) you\s+(?:please\s+)?)?"
REMEMBER = re.compile(
    POLITE + r"(?:remember|keep in mind|note|don['’]t forget|do not forget)(?:\s+that\b)?[:,]?\s+(?P<x>.+)", re.I | re.S
)
ARCHIVE = re.compile(
    POLITE
    + r"(?:archive|store|save|file)(?:\s+(?:this|that|it))?(?:\s+(?:in|to|into)\s+(?:the|your)\s+archive)?[:,]?\s+(?P<x>.+)",
    re.I | re.S,
)
FORGET = re.compile(POLITE + r"forget(?:\s+(?:that|about))?[:,]?\s+(?P<x>.+)", re.I | re.S)
SEARCH = re.compile(
    POLITE
    + r"(?:search|look)\s+(?:(?:the|your|our)\s+\w+\s+)?(?:for|up)\s+(?P<x>.+)|"
    + POLITE
    + r"(?:find|recall)\s+(?P<y>.+)",
    re.I | re.S,
)
QUESTION = re.compile(
    r"^(?:what|who|whom|whose|where|which|why|how)\b|^when\s+(?:is|was|did|do|does|are|were|will|am|should)\b"
    r"|^(?:do|did) (?:you|i|we)\b|^tell me\b",
    re.I,
)
ABOUT_ME = re.compile(r"\b(?:know|remember|noted|tell me)\b.*\babout me\b|^who am i\b", re.I)
ABOUT_IT = re.compile(
    r"^(?:help|what (?:can|do) you do|who are you|what are you|how (?:do you work|does this work|are you)"
    r"|are you (?:a|an) (?:language model|llm|ai|bot|human|person))\b[\s?!.]*$",
    re.I,
)
GREETING = re.compile(r"^(?:hi|hello|hey|good (?:morning|afternoon|evening)|greetings)\b(?: there| again)?[\s!.,]*$", re.I)
THANKS = re.compile(r"^(?:thanks|thank you|thx|great|ok|okay|good|bye|goodbye)\b[\w\s!.,]{0,20}$", re.I)

HEARD = re.compile(r"^\[[^\[\]\n]*\d[^\[\]\n]*\] [^\W\d_][\w .'’-]{0,40}: \S")

SENTENCE = re.compile(r"(?<=[.!?…])\s+(?=\S)|\n+")
CLAUSE = re.compile(r"(?:,\s*|\s+)(?:and|but)\s+(?=(?:i|my|i['’]m|please)\b)", re.I)

STOP_WORDS = """
a about all am an and any are as at be been but by can could did do does else ever find for from had has have he her him his how
i if in into is it its know me mine more my no not of on or our please recall remember say said search she so tell than that the
their them then there these they thing this those to told up us was we were what what's when where which who whom whose why
will with would you your yours i'm i've
"""
STOP = frozenset(STOP_WORDS.split())


def understand(text: str) -> tuple[Intent, ...]:
    """What the message wants, in order; nothing where no rule fits."""
    if HEARD.match(text.strip()):
        return (Heard(),)
    sentences = [part.strip() for part in SENTENCE.split(text.strip()) if part.strip()]
    if sentences and (command := understand_command(text.strip())):
        return command
    return tuple(intent for sentence in sentences for intent in understand_sentence(sentence))


def understand_command(text: str) -> tuple[Intent, ...]:
    """A message that is one order from its first word to its last, however many sentences it has."""
    if text.endswith("?"):
        return ()
    if found := ARCHIVE.match(text):
        return (Archive(found["x"].strip()),)
    if found := REMEMBER.match(text):
        return tuple(facts(found["x"])) or (Tell(capital(shorten(found["x"]))),)
    return ()


def understand_sentence(sentence: str) -> tuple[Intent, ...]:
    """What one sentence wants."""
    if GREETING.match(sentence) or ABOUT_IT.match(sentence):
        return (Help(),)
    if THANKS.match(sentence):
        return (Thanks(),)
    if found := SEARCH.match(sentence):
        return (Ask((found["x"] or found["y"]).strip()),)
    if sentence.endswith("?") or QUESTION.match(sentence) or ABOUT_ME.search(sentence):
        return (Ask(sentence, whole=bool(ABOUT_ME.search(sentence))),)
    if found := FORGET.match(sentence):
        return (Forget(found["x"].strip(" .!")),)
    return understand_command(sentence) or tuple(facts(sentence))


def facts(text: str) -> list[Intent]:
    """The facts a text tells; none unless each of its clauses tells one, or the first does."""
    found = [fact for clause in CLAUSE.split(text) if (fact := fact_of(clause.strip()))]
    return list(found)


def fact_of(clause: str) -> Tell | None:
    """The fact that a clause tells, as a line to note."""
    clause = clause.strip(" .!")
    for fact in FACTS:
        if found := fact.pattern.match(clause):
            words = {name: tidy(name, value) for name, value in found.groupdict().items()}
            return Tell(shorten(fact.line.format(**words)), fact.key.format(**words))
    return None


def tidy(name: str, value: str) -> str:
    """A rule's capture as it is noted: verbs in the third person, keys with a capital."""
    value = value.strip(" .!,")
    if name == "verb":
        return VERBS[value.lower()]
    return capital(value) if name == "k" else value


def capital(text: str) -> str:
    """The text with its first letter a capital."""
    return text[:1].upper() + text[1:]


def shorten(text: str, limit: int = LINE_CHARS) -> str:
    """The text on one line and within ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def stems(text: str) -> frozenset[str]:
    """The words that carry a text's meaning, cut to crude stems."""
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)?", text.lower())
    return frozenset(stem(word.replace("’", "'")) for word in words if word not in STOP)


def stem(word: str) -> str:
    """A word without its commonest endings, so that *live*, *lives* and *living* meet."""
    word = word.removesuffix("'s")
    for ending in ("ing", "ies", "es", "ed", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def overlap(question: Iterable[str], text: str) -> float:
    """The share of the question's stems that stand in the text."""
    wanted = frozenset(question)
    return len(wanted & stems(text)) / len(wanted) if wanted else 0.0
