"""Filters as conditions: what a row must be, before anything is ranked.

Only what is asked for becomes part of the statement; every value is a parameter of it, by name, in the driver's own form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pagemind.records import Json, Role
from pagemind.records.search import CONFIDENCE, Filters
from pagemind.store.spaces import MESSAGES, PASSAGES

SPOKEN = (Role.user, Role.assistant)
"""What a search looks through unless told otherwise: a tool's return mostly repeats what stands elsewhere."""


@dataclass(frozen=True)
class Conditions:
    """Conditions on one row, each a piece of SQL, and the values that they name."""

    each: Sequence[str]
    values: Json
    indexed: Sequence[str] = ()
    """Some of them once more, in the form that the indexes of a large collection serve; the row's table stands alone."""

    @property
    def sql(self) -> str:
        """All of them must hold."""
        return " AND ".join(self.each) or "true"


def of_passages(filters: Filters, confidence: Mapping[str, float] = CONFIDENCE) -> Conditions:
    """What a passage ``p`` must be: in force, not expired, and as the filters say.

    A passage that does not say how far it is trusted is trusted as ``confidence`` says of its origin.
    """
    each, values = ["p.superseded_at IS NULL", "(p.expires_at IS NULL OR p.expires_at > now())"], Json()
    if filters.tags:
        each.append(f"p.tags {'@>' if filters.all_tags else '&&'} %(tags)s::text[]")
        values["tags"] = list(filters.tags)
    indexed: list[str] = []
    _add_times("p", filters, each, values)
    for column, name, wanted in (
        ("source", "sources", filters.sources),
        ("origin", "origins", filters.origins),
        ("identity_id", "identities", filters.identity_ids),
    ):
        if wanted:
            each.append(f"p.{column} = ANY (%({name})s{'::uuid[]' if column == 'identity_id' else '::text[]'})")
            values[name] = list(wanted)
            indexed.append(f"{PASSAGES.facets} && %({name})s::text[]")
    if filters.least_confidence > 0:
        cases = " ".join(f"WHEN '{origin}' THEN %(trust_{origin})s::float8" for origin in CONFIDENCE)
        each.append(f"coalesce(p.confidence, CASE p.origin {cases} END) >= %(least)s::float8")
        values["least"] = filters.least_confidence
        values |= {f"trust_{origin}": confidence.get(origin, usual) for origin, usual in CONFIDENCE.items()}
    return Conditions(each, values, indexed)


def of_messages(filters: Filters) -> Conditions:
    """What a message ``m`` must be: in its place in the history, not empty, and as the filters say."""
    each = ["m.seq IS NOT NULL", "m.content <> ''", "m.role = ANY (%(roles)s::text[])"]
    indexed: list[str] = []
    values: Json = {"roles": [str(role) for role in filters.roles or SPOKEN]}
    _add_times("m", filters, each, values)
    if filters.identity_ids:
        each.append("m.sender = ANY (%(senders)s::text[])")
        # By its bare id, or as the wire has it.
        values["senders"] = [f"{prefix}{each}" for each in filters.identity_ids for prefix in ("", "identity-")]
        indexed.append(f"{MESSAGES.facets} && %(senders)s::text[]")
    return Conditions(each, values, indexed)


def _add_times(row: str, filters: Filters, each: list[str], values: Json) -> None:
    for name, sign, moment in (("after", ">=", filters.after), ("before", "<", filters.before)):
        if moment is not None:
            each.append(f"{row}.created_at {sign} %({name})s::timestamptz")
            values[name] = moment
