"""``/v1``: blocks."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["blocks"])
