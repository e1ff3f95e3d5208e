"""What people hear while the local model server starts."""

import sys

from pagemind.cli.text import safe_text


def say_local(words: str) -> None:
    """A line on standard error about the local model server."""
    sys.stderr.write(f"local model: {safe_text(words)}\n")
    sys.stderr.flush()
