"""The origins of passages as an option's choices: the records bring SQLAlchemy along, which ``--help`` does not wait for."""

from enum import StrEnum


class Origin(StrEnum):
    """Who vouches for a passage (``records.Origin``)."""

    stated = "stated"
    read = "read"
    inferred = "inferred"
    imported = "imported"
