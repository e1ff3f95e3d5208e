"""Whether the server lives, and whether it can work."""

from __future__ import annotations

from fastapi import APIRouter

from pagemind import __version__

router = APIRouter(tags=["health"])

PREFIXES = ("/v1/health", "/livez", "/readyz", "/metrics")


@router.get("/v1/health")
async def health() -> dict[str, str]:
    """Liveness, as Letta's clients ask for it."""
    return {"version": __version__, "status": "ok"}
