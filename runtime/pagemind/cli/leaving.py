"""The end of the process."""

import logging
import os
import sys
import threading
from typing import NoReturn


def leave(status: int) -> NoReturn:
    """End the process with this status once everything is written.

    Where a thread still goes on (one that loads the embedding model, one that waits for a line of input) the interpreter is
    not taken down piece by piece, since torch aborts when that happens in the middle of its import.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # nobody reads any more
            status = status or 1
    logging.shutdown()
    if any(thread is not threading.main_thread() for thread in threading.enumerate()):
        os._exit(status)
    sys.exit(status)
