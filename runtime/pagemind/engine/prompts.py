"""The prose for models, from ``prompts/``: the home folder's file wins over the shipped one of the same name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from pagemind.records import Block, Json, Message, Role, Shelf

PLACE_WORDS = 5


class Prose:
    """The rendered texts. Templates are sandboxed and an unknown name in one fails at once."""

    def __init__(self, folders: Sequence[Path]) -> None:
        # Prompts are plain text for a model, never HTML: escaping would change what the model reads.
        self._templates = SandboxedEnvironment(
            loader=FileSystemLoader([str(folder) for folder in folders]),
            undefined=StrictUndefined,
            autoescape=False,
            keep_trailing_newline=False,
        )

    def system(self, instructions: str) -> str:
        """The static text, the same bytes for every agent of a definition."""
        return self._render("system.j2", instructions=instructions.strip())

    def instructions(self, *, sends: bool) -> str:
        """What an agent is told that was made without any; ``sends``: it speaks through ``send_message`` alone."""
        return self._render("instructions.j2", sends=sends)

    def blocks(self, blocks: Sequence[Block], shelves: Sequence[Shelf] = ()) -> str:
        """The snapshot of the blocks, and of the folders with the files that are open."""
        texts = [self._render("blocks.j2", blocks=blocks)] if blocks else []
        return "\n".join([*texts, self._render("folders.j2", shelves=shelves)] if shelves else texts)

    def folders_notice(self, shelves: Sequence[Shelf], opened: Sequence[str]) -> str:
        """The note that folders or open files were changed from elsewhere; ``opened`` are the names of those that are open."""
        listing = self._render("folders.j2", shelves=shelves)
        return self._render("folders_notice.j2", shelves=shelves, listing=listing, opened=", ".join(opened))

    def summary(self, summary: str, last_seq: int, kept: Sequence[Json] = ()) -> str:
        """What stands in the place of the messages up to ``last_seq``; ``kept`` are ``seq, text`` of those left in view."""
        return self._render("summary.j2", summary=summary, last_seq=last_seq, kept=kept) if last_seq > 0 else ""

    def compaction(self, messages: Sequence[Message], *, earlier: bool, max_words: int) -> str:
        """The request, at the end of a prompt that holds the messages, for the summary of them; ``earlier``: there is one."""
        places = [{"seq": each.seq, "words": first_words(each.content)} for each in messages if each.role == Role.user]
        first, last = messages[0].seq, messages[-1].seq
        return self._render("compact.j2", places=places, first_seq=first, last_seq=last, earlier=earlier, max_words=max_words)

    def summarize_system(self, max_words: int) -> str:
        """The instruction to the model that writes a summary."""
        return self._render("summarize_system.j2", max_words=max_words)

    def summarize(self, summary: str, messages: Sequence[Message]) -> str:
        """The earlier summary and the messages that the new one is to cover."""
        return self._render("summarize.j2", summary=summary, messages=messages)

    def recalled(self, hits: int) -> str:
        """What stands for a search's hits where a summary is made: they are in memory already, and are not stored again."""
        return self._render("recalled.j2", hits=hits)

    def notice(self, changes: Sequence[dict[str, str]]) -> str:
        """The note that blocks were edited from elsewhere: ``label, author, value`` of each."""
        return self._render("notice.j2", changes=changes)

    def malformed(self, reason: str) -> str:
        """The note that a reply could not be used."""
        return self._render("malformed.j2", reason=reason)

    def required(self, tools: Sequence[str]) -> str:
        """The note that these tools have to be called before the turn may end."""
        return self._render("required.j2", tools=", ".join(tools), several=len(tools) > 1)

    def _render(self, name: str, **values: object) -> str:
        return self._templates.get_template(name).render(**values).strip()


def first_words(text: str) -> str:
    """The beginning of a text, on one line, to know it by."""
    words = text.split()
    return " ".join(words[:PLACE_WORDS])[: PLACE_WORDS * 12] + (" …" if len(words) > PLACE_WORDS else "")
