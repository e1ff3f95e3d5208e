"""Who sits here."""

import getpass


def person() -> str:
    """``person:<login name>``: the author of what a person does here."""
    try:
        return f"person:{getpass.getuser()}"
    except (OSError, KeyError):  # no login name: a container's bare user id
        return "person:unknown"
