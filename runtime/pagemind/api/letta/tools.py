"""``/v1``: tools."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["tools"])
