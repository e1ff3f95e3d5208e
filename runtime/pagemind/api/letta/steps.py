"""``/v1``: steps."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["steps"])
