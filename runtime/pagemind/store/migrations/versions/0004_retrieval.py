"""Retrieval: where a passage comes from and how far it is trusted, what came back from a search, and search at scale.

Vectors name the archive or conversation they belong to, so that one of a million passages can have an index of its own.
``digest`` is that of the text without case and runs of white space, ``gist`` that of what it says where it was stored by hand:
the same memory is not stored twice.

A tenant may have several embedding models, one of which serves. ``unembedded`` names each text that lacks its vector by a
model that is kept up: triggers put it there with the text and take it away with the vector, whoever writes them, so that to
ask what is missing costs nothing where nothing is.
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
    ADD COLUMN gist uuid,
    ADD COLUMN digest uuid NOT NULL GENERATED ALWAYS AS (
        md5(lower(regexp_replace(btrim(text), '\\s+', ' ', 'g')))::uuid) STORED;
CREATE INDEX passages_digest ON passages (tenant_id, archive_id, digest) WHERE superseded_at IS NULL;
CREATE UNIQUE INDEX passages_gist ON passages (tenant_id, archive_id, gist) WHERE superseded_at IS NULL AND gist IS NOT NULL;
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

CREATE INDEX passage_embeddings_archive ON passage_embeddings (tenant_id, archive_id, model);
CREATE INDEX message_embeddings_conversation ON message_embeddings (tenant_id, conversation_id, model);

CREATE TABLE search_collections (
    tenant_id uuid NOT NULL REFERENCES tenants (id) DEFERRABLE INITIALLY DEFERRED,
    id uuid NOT NULL,
    kind varchar NOT NULL CHECK (kind IN ('passage', 'message')),
    rows integer NOT NULL,
    shares jsonb NOT NULL,
    words_ready boolean NOT NULL,
    models jsonb NOT NULL,
    surveyed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE embedding_models (
    tenant_id uuid NOT NULL REFERENCES tenants (id) DEFERRABLE INITIALLY DEFERRED,
    model varchar NOT NULL CHECK (model <> ''),
    dimensions integer NOT NULL CHECK (dimensions BETWEEN 1 AND 4000),
    url varchar,
    kept_up boolean NOT NULL,
    queued boolean NOT NULL,
    held_until timestamptz,
    added_at timestamptz NOT NULL,
    served_at timestamptz,
    PRIMARY KEY (tenant_id, model)
);
INSERT INTO embedding_models (tenant_id, model, dimensions, kept_up, queued, added_at, served_at)
SELECT id, embedding_model, embedding_dimensions, true, false, now(), now() FROM tenants WHERE embedding_model IS NOT NULL;

CREATE TABLE unembedded (
    tenant_id uuid NOT NULL,
    model varchar NOT NULL,
    kind varchar NOT NULL CHECK (kind IN ('passage', 'message')),
    id uuid NOT NULL,
    bulk boolean NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, model, kind, id)
);
CREATE INDEX unembedded_due ON unembedded (tenant_id, model, bulk, due_at) WHERE failures >= 0;
"""

# What is written in one statement is queued in one: bulk inserts stay bulk inserts. What leaves the queue is looked up one by
# one in its key, whatever the planner thinks of a queue that was empty just now: a join took quadratic time. So did the other
# index, which is therefore a partial one that only the search for what is due can use.
QUEUE = """
CREATE FUNCTION queue_{kind}s() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unembedded (tenant_id, model, kind, id, bulk)
    SELECT f.tenant_id, m.model, '{kind}', f.id, {bulk}
      FROM fresh f JOIN embedding_models m ON m.tenant_id = f.tenant_id AND m.kept_up
     WHERE {wanted}
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$"""
UNQUEUE = """
CREATE FUNCTION unqueue_{kind}s() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT tenant_id, model, {kind}_id FROM fresh LOOP
        DELETE FROM unembedded u
         WHERE u.tenant_id = f.tenant_id AND u.model = f.model AND u.kind = '{kind}' AND u.id = f.{kind}_id;
    END LOOP;
    RETURN NULL;
END $$"""
TRIGGERS = (
    QUEUE.format(kind="passage", bulk="f.file_id IS NOT NULL", wanted="f.superseded_at IS NULL"),
    QUEUE.format(kind="message", bulk="false", wanted="f.role IN ('user', 'assistant') AND f.content <> ''"),
    UNQUEUE.format(kind="passage"),
    UNQUEUE.format(kind="message"),
    *(
        f"CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING NEW TABLE AS fresh "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        for name, event, table, function in (
            ("queue", "INSERT", "passages", "queue_passages"),
            ("queue", "INSERT", "messages", "queue_messages"),
            ("unqueue", "INSERT", "passage_embeddings", "unqueue_passages"),
            ("unqueue_again", "UPDATE", "passage_embeddings", "unqueue_passages"),
            ("unqueue", "INSERT", "message_embeddings", "unqueue_messages"),
            ("unqueue_again", "UPDATE", "message_embeddings", "unqueue_messages"),
        )
    ),
)

OWNED: tuple[str, ...] = ("search_collections", "embedding_models", "unembedded")

# Without a tenant the setting is NULL, or '' once a transaction of the connection has set it: both see no rows.
MINE = "tenant_id = nullif(current_setting('app.tenant', true), '')::uuid"


def upgrade() -> None:
    """Add the columns and fill them, make the tables and put each under its policy."""
    # The owner of the tables is under the policies, too: what is filled in here is every tenant's.
    filled = ("tenants", "passages", "passage_embeddings", "messages", "message_embeddings")
    for table in filled:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    for statement in CHANGES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for statement in TRIGGERS:
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
