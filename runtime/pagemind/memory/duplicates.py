"""When two texts are the same memory. Pure.

No cosine says it. Under all-MiniLM-L6-v2 the same thing said twice is .908 to .997 near ("Anna is allergic to peanuts" and
"... to peanut" .965), and "The user prefers tea to coffee" and "... coffee to tea" .997, "before" and "after" in one sentence
.987, "Anna gave Ben the key" and "Ben gave Anna the key" .986: to lose one of those is worse than to keep two that are alike.
So the words decide, which also costs one look at an index however large the archive is.
"""

from __future__ import annotations

import re
from hashlib import md5
from unicodedata import normalize
from uuid import UUID

LIGHT = frozenset({"a", "an", "the", "and", "also", "that", "any", "is", "are", "am"})
"""Words that one writes or leaves out: nothing turns on them."""
QUOTES = str.maketrans("’‘ʼ“”«»", "''''\"\"\"")
OPENING = "\"'([{*_•"
CLOSING = ".,;:!…\"')]}*_"
BARE = frozenset({"", "-", "–", "—", "&"})
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
BRITISH = re.compile(r"^([a-z]{3,})our(s|ed|ing|ite|ites|able|ful)?$")
CONTRACTED = {"can't": ("can", "not"), "cannot": ("can", "not"), "won't": ("will", "not"), "shan't": ("shall", "not")}


def gist(text: str) -> UUID | None:
    """The same for two texts that differ in nothing but case, white space, the punctuation of prose, ``LIGHT`` words,
    contracted negations and British spelling; None for a text that has nothing else.

    All other words stand in it, in their order: names, numbers, negations, and who does what to whom. Signs inside a word, as
    in code, stand as they are.
    """
    words = [word for piece in folded(text).split() for word in words_of(piece)]
    # Not for security: whoever makes two texts collide owns both.
    return UUID(bytes=md5("\n".join(words).encode(), usedforsecurity=False).digest()) if words else None


def folded(text: str) -> str:
    """The text without case, kinds of quotation marks and commas in numbers."""
    return THOUSANDS.sub("", normalize("NFC", text).translate(QUOTES).casefold())


def words_of(piece: str) -> tuple[str, ...]:
    """What stands between two blanks: mostly one word, none where nothing turns on it."""
    word = piece.lstrip(OPENING).rstrip(CLOSING)
    if word in BARE or word in LIGHT:
        return ()
    if word in CONTRACTED:
        return CONTRACTED[word]
    if word.endswith("n't"):
        return (word.removesuffix("n't"), "not")
    british = BRITISH.match(word)
    return (f"{british[1]}or{british[2] or ''}",) if british else (word,)
