"""How a search's hits are told of in events, and to people. Pure."""

from __future__ import annotations

from pagemind.records import Json, MessageHit, PassageHit

MISSED_CHARS = 200
"""How much of a near miss is told."""


def told(hit: MessageHit | PassageHit) -> Json:
    """What was found, why, and how far it is trusted, as JSON; of a near miss the beginning of it, and what it lacked."""
    about, text = about_passage(hit) if isinstance(hit, PassageHit) else about_message(hit)
    why = {"score": round(hit.score, 4), "scores": rounded(hit.scores), "boosts": rounded(hit.boosts)}
    missed = {"missed": hit.missed} if hit.missed else {}
    return {**about, "text": text[:MISSED_CHARS] if hit.missed else text, "at": hit.created_at.isoformat(), **why, **missed}


def about_passage(hit: PassageHit) -> tuple[Json, str]:
    """Which passage it is, whence it comes and how far it is trusted; and its text."""
    review = {"review_by": hit.review_by.isoformat()} if hit.review_by else {}
    trust = {"origin": str(hit.origin), "confidence": hit.confidence, **review}
    return {"kind": "passage", "id": str(hit.id), "tags": list(hit.tags), "source": hit.source, **trust}, hit.text


def about_message(hit: MessageHit) -> tuple[Json, str]:
    """Which message it is, and where it stands; and its text."""
    return {"kind": "message", "id": f"#{hit.seq}", "role": hit.role, "resident": hit.resident}, hit.content


def rounded(values: dict[str, float]) -> dict[str, float]:
    """The values to four places: more says nothing, and events are kept for good."""
    return {name: round(value, 4) for name, value in values.items()}
