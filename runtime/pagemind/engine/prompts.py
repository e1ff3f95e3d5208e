"""The prose for models, from ``prompts/``: the home folder's file wins over the shipped one of the same name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from pagemind.records import Block, Message


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

    def blocks(self, blocks: Sequence[Block]) -> str:
        """The snapshot of the blocks."""
        return self._render("blocks.j2", blocks=blocks) if blocks else ""

    def summary(self, summary: str, last_seq: int) -> str:
        """What stands in the place of the messages up to ``last_seq``."""
        return self._render("summary.j2", summary=summary, last_seq=last_seq) if last_seq > 0 else ""

    def summarize_system(self, max_words: int) -> str:
        """The instruction to the model that writes a summary."""
        return self._render("summarize_system.j2", max_words=max_words)

    def summarize(self, summary: str, messages: Sequence[Message]) -> str:
        """The earlier summary and the messages that the new one is to cover."""
        return self._render("summarize.j2", summary=summary, messages=messages)

    def notice(self, changes: Sequence[dict[str, str]]) -> str:
        """The note that blocks were edited from elsewhere: ``label, author, value`` of each."""
        return self._render("notice.j2", changes=changes)

    def malformed(self, reason: str) -> str:
        """The note that a reply could not be used."""
        return self._render("malformed.j2", reason=reason)

    def _render(self, name: str, **values: object) -> str:
        return self._templates.get_template(name).render(**values).strip()
