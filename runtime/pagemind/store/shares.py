"""How common words, tags, sources and times are in a large collection, told without counting, from a sample of its rows.

From it follows which words name few enough rows to be candidates by themselves, and how many rows a filter leaves. It may be
stale by a fifth of the rows: then it costs time, never a row that may come, nor one that may not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from uuid import UUID

from pagemind.records import Json
from pagemind.records.search import CONFIDENCE, Filters
from pagemind.store.spaces import Kind
from pagemind.store.terms import Term

BUDGET = 1000
"""How many rows may become candidates by their words."""
PAIRED = 6
"""Of so many of the rarest words that are too common by themselves, pairs and triples are looked for."""
TOGETHER = 3.0
"""Words of one query stand together more often than chance has it: by so much."""


@dataclass(frozen=True)
class Collection:
    """A large archive or conversation: how many rows, and which share of them has what.

    Of a word that is not in ``words`` the share is less than ``least``. ``times`` are the moments, in seconds, that part the
    rows into equal shares. ``models``: the dimensions of each embedding model whose index is complete.
    """

    id: UUID
    kind: Kind
    rows: int
    mean_words: float
    least: float
    words: Mapping[str, float]
    facets: Mapping[str, float]
    times: Sequence[float]
    models: Mapping[str, int]

    def share_of(self, term: Term) -> float | None:
        """The share of the rows in which the word stands; None: it is rare."""
        return self.words.get(term.lexeme)

    def rows_of(self, term: Term) -> float:
        """In how many rows the word stands, at most about."""
        return self.rows * self.words.get(term.lexeme, self.least)

    def rows_left(self, filters: Filters) -> float:
        """About how many rows the filters leave, as if they had nothing to do with each other."""
        share = self._share_of_tags(filters) * self._share_between(filters)
        for name, wanted in (
            ("source", filters.sources),
            ("origin", filters.origins),
            ("identity", [str(identity_id) for identity_id in filters.identity_ids]),
            ("role", filters.roles if self.kind == "message" else ()),
        ):
            if wanted:
                share *= min(1.0, sum(self._facet(name, each) for each in wanted))
        if filters.least_confidence > 0:
            share *= self._share_trusted(filters.least_confidence)
        return self.rows * share

    def _facet(self, name: str, value: str) -> float:
        return self.facets.get(f"{name}:{value}", self.least)

    def _share_of_tags(self, filters: Filters) -> float:
        shares = [self._facet("tag", tag) for tag in filters.tags]
        if not shares:
            return 1.0
        return min(shares) if filters.all_tags else min(1.0, sum(shares))

    def _share_between(self, filters: Filters) -> float:
        if not self.times or (filters.after is None and filters.before is None):
            return 1.0
        after = 0.0 if filters.after is None else self._share_before(filters.after.timestamp())
        before = 1.0 if filters.before is None else self._share_before(filters.before.timestamp())
        return max(before - after, self.least)

    def _share_before(self, moment: float) -> float:
        """The share of the rows that are older; between two of the known moments by where it lies between them."""
        last = len(self.times) - 1
        if moment <= self.times[0]:
            return 0.0
        for place in range(last):
            low, high = self.times[place], self.times[place + 1]
            if moment < high:
                return (place + (moment - low) / (high - low)) / last
        return 1.0

    def _share_trusted(self, least: float) -> float:
        """Those that say nothing of it themselves, by the usual confidence of their origin."""
        trusted = sum(self._facet("origin", origin) for origin, usual in CONFIDENCE.items() if usual >= least)
        return max(trusted, self.least)


def collection_of(id: UUID, kind: Kind, rows: int, shares: Json, models: Mapping[str, int]) -> Collection:
    """A collection from its row."""
    return Collection(
        id=id,
        kind=kind,
        rows=max(1, rows),
        mean_words=max(1.0, shares["mean_words"]),
        least=shares["least"],
        words=shares["words"],
        facets=shares["facets"],
        times=shares["times"],
        models=models,
    )


def picked(collection: Collection, terms: Sequence[Term], budget: float = BUDGET) -> str | None:
    """The tsquery whose rows become candidates; None without words.

    The rarest words first, each by itself, as long as their rows fit the budget; then pairs and triples of those that are too
    common, by stems, since a word and its stem always stand together. If nothing fits, all of them; if even that brings
    nothing, the vectors must do. A single common word is cut off at the budget.
    """
    rarest_first = sorted(terms, key=collection.rows_of)
    if not rarest_first:
        return None
    chosen: list[str] = []
    left = budget
    common: list[Term] = []
    for term in rarest_first:
        found = collection.rows_of(term)
        if found <= left:
            chosen.append(term.query)
            left -= found
        else:
            common.append(term)
    stems = [term for term in common if term.stem][:PAIRED]
    for size in (2, 3):
        for group in combinations(stems, size):
            found = collection.rows * TOGETHER ** (size - 1)
            for term in group:
                found *= collection.rows_of(term) / collection.rows
            if found <= left:
                chosen.append("(" + " & ".join(term.query for term in group) + ")")
                left -= found
        if chosen:
            break
    return " | ".join(chosen) or " & ".join(term.query for term in stems) or rarest_first[0].query
