"""How an error that ends a command is shown."""

import json
import sys

from pagemind.cli.lines import error_words
from pagemind.cli.text import safe_text
from pagemind.errors import PagemindError


def report(error: PagemindError, *, as_json: bool = False) -> int:
    """Show the error on standard error (as JSON on standard output where JSON was asked for); the exit status."""
    if as_json:
        sys.stdout.write(json.dumps({"error": error.as_dict()}) + "\n")
    else:
        sys.stderr.write(safe_text(error_words(error.as_dict())) + "\n")
    return error.exit_status
