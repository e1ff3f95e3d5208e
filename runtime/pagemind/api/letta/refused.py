"""``/v1``: refused."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["refused"])
