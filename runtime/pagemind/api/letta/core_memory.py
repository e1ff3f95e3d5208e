"""``/v1``: core memory."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["core memory"])
