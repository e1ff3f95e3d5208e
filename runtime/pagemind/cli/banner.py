"""The first words of a chat."""

from __future__ import annotations

from pagemind import __version__
from pagemind.cli.session import Session
from pagemind.cli.slash_talk import reasoner_words
from pagemind.cli.text import safe_text


def banner(session: Session) -> list[str]:
    """What the first screen says: version, agent, home, the reasoner or how to get a real one, where help is."""
    reasoner = session.runtime.reasoner
    lines = [f"Pagemind {__version__} · agent {safe_text(session.agent.name)} · home {session.runtime.settings.home}"]
    if reasoner.is_language_model:
        lines.append(f"Reasoner: {reasoner_words(reasoner)}")
    else:
        lines.append("DEMO REASONER: not a language model, only a few rules that call the real tools.")
        lines.append("For a real one start vLLM, Ollama, LM Studio or llama.cpp here, or set PAGEMIND_REASONER_URL.")
    lines.append("/help tells what can be done here.")
    return lines
