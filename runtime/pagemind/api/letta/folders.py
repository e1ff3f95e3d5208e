"""``/v1``: folders."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["folders"])
