"""The log file in the home folder: warnings, and the traceback of what nobody expected."""

import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

LOG_BYTES = 2_000_000
_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"


def log_file(home: Path) -> Path:
    """Where the log of this home folder is."""
    return home / "logs" / "pagemind.log"


def log_to(home: Path) -> None:
    """Send log records from WARNING on, and Python's warnings, to the log file; nothing of it goes to the terminal.

    Where the folder cannot be written they are dropped: `pagemind doctor` tells about the folder.
    """
    logging.captureWarnings(True)
    try:
        handler: logging.Handler = _file_handler(log_file(home))
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def say_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A ``sys.excepthook``: one message for the person, the traceback for the log."""
    files = [handler.baseFilename for handler in logging.getLogger().handlers if isinstance(handler, logging.FileHandler)]
    place = f"the traceback is in {files[0]}" if files else "there is no log to write the traceback to"
    logging.getLogger("pagemind").critical("unexpected error", exc_info=(kind, error, trace))
    sys.stderr.write(f"error[unexpected]: {kind.__name__}: {error}\nfix: this is a fault in Pagemind; {place}\n")


def _file_handler(path: Path) -> logging.Handler:
    path.parents[1].mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_APPEND, 0o600))
    return RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8")
