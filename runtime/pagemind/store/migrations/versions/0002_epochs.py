"""Epochs and page faults: how each epoch began, what was needed again, and what each prompt had in common with the last."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE conversations
    DROP COLUMN snapshot_tokens,
    ADD COLUMN kept jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN prefix jsonb,
    ADD COLUMN served_by varchar NOT NULL DEFAULT '',
    ADD COLUMN stepped_at timestamptz,
    ADD COLUMN turns integer NOT NULL DEFAULT 0;

ALTER TABLE messages ADD COLUMN stamped boolean NOT NULL DEFAULT false;

ALTER TABLE runs ADD COLUMN background boolean NOT NULL DEFAULT false;

ALTER TABLE steps
    ADD COLUMN counted_tokens integer NOT NULL DEFAULT 0,
    ADD COLUMN epoch integer NOT NULL DEFAULT 0,
    ADD COLUMN prefix varchar NOT NULL DEFAULT '' CHECK (prefix IN ('', 'first', 'kept', 'rolled', 'broken')),
    ADD COLUMN common_tokens integer NOT NULL DEFAULT 0,
    ADD COLUMN block_hits text[] NOT NULL DEFAULT '{}';

CREATE TABLE epochs (
    tenant_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    epoch integer NOT NULL CHECK (epoch > 1),
    cause varchar NOT NULL CHECK (cause IN ('full', 'early', 'asked', 'notices', 'definition', 'idle', 'server')),
    run_id uuid,
    turn integer NOT NULL,
    first_seq integer,
    last_seq integer,
    messages integer NOT NULL,
    tokens_out integer NOT NULL,
    tokens_before integer NOT NULL,
    tokens_after integer NOT NULL,
    summary_tokens integer NOT NULL,
    kept integer[] NOT NULL,
    prompt_tokens integer NOT NULL,
    cached_tokens integer NOT NULL,
    completion_tokens integer NOT NULL,
    milliseconds double precision NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, conversation_id, epoch),
    CHECK ((messages > 0) = (last_seq IS NOT NULL)),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE page_faults (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    run_id uuid NOT NULL,
    step_id uuid NOT NULL,
    seq integer NOT NULL,
    turns_out integer NOT NULL,
    tokens integer NOT NULL,
    tool varchar NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, step_id) REFERENCES steps (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX page_faults_conversation ON page_faults (tenant_id, conversation_id, seq);
"""

# Without a tenant the setting is NULL, or '' once a transaction of the connection has set it: both see no rows.
MINE = "tenant_id = nullif(current_setting('app.tenant', true), '')::uuid"


def upgrade() -> None:
    """Add the columns, make the tables and put each under its policy."""
    for statement in CHANGES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table in ("epochs", "page_faults"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Nothing goes back: a newer home folder is opened by a newer Pagemind."""
    raise NotImplementedError
