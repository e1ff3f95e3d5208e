"""``/v1``: passages."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["passages"])
