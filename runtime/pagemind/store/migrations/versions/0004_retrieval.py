"""Retrieval: where a passage comes from and how far it is trusted, what came back from a search, and search at scale.

Vectors name the archive or conversation they belong to, so that one of a million passages can have an index of its own.
``digest`` is that of the text without case and runs of white space: the same memory is not stored twice.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE passages
    ADD COLUMN origin varchar NOT NULL DEFAULT 'inferred' CHECK (origin IN ('stated', 'read', 'inferred', 'imported')),
    ADD COLUMN confidence double precision CHECK (confidence BETWEEN 0 AND 1),
    ADD COLUMN identity_id uuid,
    ADD COLUMN review_by timestamptz,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN refreshed_at timestamptz,
    ADD COLUMN digest uuid NOT NULL GENERATED ALWAYS AS (
        md5(lower(regexp_replace(btrim(text), '\\s+', ' ', 'g')))::uuid) STORED;
CREATE INDEX passages_digest ON passages (tenant_id, archive_id, digest) WHERE superseded_at IS NULL;
UPDATE passages SET origin = CASE WHEN file_id IS NOT NULL THEN 'imported' WHEN source LIKE 'agent:%' THEN 'inferred'
                                  WHEN source LIKE 'person%' THEN 'stated' ELSE 'imported' END;

ALTER TABLE messages ADD COLUMN recalled boolean NOT NULL DEFAULT false;

ALTER TABLE passage_embeddings ADD COLUMN archive_id uuid;
UPDATE passage_embeddings e SET archive_id = p.archive_id
  FROM passages p WHERE p.tenant_id = e.tenant_id AND p.id = e.passage_id;
ALTER TABLE passage_embeddings ALTER COLUMN archive_id SET NOT NULL;
ALTER TABLE message_embeddings ADD COLUMN conversation_id uuid;
UPDATE message_embeddings e SET conversation_id = m.conversation_id
  FROM messages m WHERE m.tenant_id = e.tenant_id AND m.id = e.message_id;
ALTER TABLE message_embeddings ALTER COLUMN conversation_id SET NOT NULL;
"""

OWNED: tuple[str, ...] = ()

# Without a tenant the setting is NULL, or '' once a transaction of the connection has set it: both see no rows.
MINE = "tenant_id = nullif(current_setting('app.tenant', true), '')::uuid"


def upgrade() -> None:
    """Add the columns and fill them, make the tables and put each under its policy."""
    # The owner of the tables is under the policies, too: what is filled in here is every tenant's.
    filled = ("passages", "passage_embeddings", "messages", "message_embeddings")
    for table in filled:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    for statement in CHANGES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table in filled:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    for table in OWNED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Nothing goes back: a newer home folder is opened by a newer Pagemind."""
    raise NotImplementedError
