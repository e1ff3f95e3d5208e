"""Letta's names for who owns and who made things, and names for agents that were given none."""

from __future__ import annotations

import secrets
from uuid import UUID

MOODS = (
    "Amber", "Brave", "Calm", "Clever", "Curious", "Daring", "Eager", "Gentle", "Golden", "Happy", "Honest", "Keen", "Kind",
    "Lively", "Lucky", "Merry", "Nimble", "Patient", "Quick", "Quiet", "Silver", "Steady", "Sunny", "Swift", "Warm", "Wise",
)  # fmt: skip
THINGS = (
    "Badger", "Beacon", "Birch", "Brook", "Cedar", "Comet", "Compass", "Crane", "Falcon", "Fern", "Finch", "Harbor", "Heron",
    "Lantern", "Maple", "Meadow", "Otter", "Owl", "Pebble", "Raven", "River", "Robin", "Sparrow", "Tulip", "Walnut", "Willow",
)  # fmt: skip


def organization_id(tenant_id: UUID) -> str:
    """The tenant as Letta names it."""
    return f"org-{tenant_id}"


def user_id(tenant_id: UUID) -> str:
    """Whoever holds a key of the tenant, as Letta names them."""
    return f"user-{tenant_id}"


def friendly_name() -> str:
    """A name for an agent that was given none."""
    return secrets.choice(MOODS) + secrets.choice(THINGS)
