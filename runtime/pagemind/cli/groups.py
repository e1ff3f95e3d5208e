"""The root command: ``chat`` is meant where no command is given, and its own options may stand anywhere."""

from collections.abc import Iterator, Sequence
from typing import Any

from typer.core import TyperGroup

_ANYWHERE = ("--home", "--reasoner", "--model", "--embedder", "--window")
_OWN = {"up": ("--model", "--window")}
"""Commands that have an option of that name themselves, and mean another thing by it."""
_ALONE = ("--help", "-h", "--install-completion", "--show-completion")


class ChatByDefault(TyperGroup):
    """Reads ``pagemind -p hi --home /x`` as ``pagemind --home /x chat -p hi``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the root's options first and ``chat`` after them where no command is named."""
        ours, rest = split_options(args)
        if rest and rest[0] in _OWN:
            ours, rest = split_options(args, [name for name in _ANYWHERE if name not in _OWN[rest[0]]])
        if not ctx.resilient_parsing and (not rest or (rest[0].startswith("-") and rest[0].split("=")[0] not in _ALONE)):
            rest = ["chat", *rest]
        return super().parse_args(ctx, [*ours, *rest])


def split_options(args: Sequence[str], anywhere: Sequence[str] = _ANYWHERE) -> tuple[list[str], list[str]]:
    """The options of the root with their values, and everything else, each in its order; ``--`` ends the options."""
    ours: list[str] = []
    rest: list[str] = []
    words: Iterator[str] = iter(args)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in anywhere:
            ours += [word, *([value] if (value := next(words, None)) is not None else [])]
        else:
            (ours if word.split("=")[0] in anywhere else rest).append(word)
    return ours, rest
