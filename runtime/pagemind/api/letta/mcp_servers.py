"""``/v1``: mcp servers."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["mcp servers"])
