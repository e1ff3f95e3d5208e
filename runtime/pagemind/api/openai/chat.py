"""OpenAI's ``/v1``: chat."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["openai"])
