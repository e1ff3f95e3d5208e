"""``/v1``: archives."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["archives"])
