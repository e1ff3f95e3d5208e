"""${message}."""

from __future__ import annotations

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Write SQL here: every new table with its tenant_id, its policy (see 0001), and its grants in `migrations/grants.py`."""
    op.execute("")


def downgrade() -> None:
    """Nothing goes back: a newer home folder is opened by a newer Pagemind."""
    raise NotImplementedError
