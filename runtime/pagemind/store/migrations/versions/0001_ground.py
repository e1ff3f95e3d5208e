"""The ground: tenants, agents, memory, conversations, runs.

Every key begins with the tenant, so that no tenant can probe another's ids by colliding with them; every reference carries
the tenant, so that nothing can point across; every table is under a FORCEd row-level security policy. References are checked
at the end of the transaction: the rows of a step may be written in any order.

``words`` is the full-text vector of two configurations in one: ``simple`` (words as written, lower case: any language that
separates its words, names, numbers) and ``english`` (stems, so that "dancing" finds "dances"). Each word thus stands in it as
written and as its stem, and a text in another language loses nothing. It covers the first 100,000 characters: a tsvector may
have 1 MB, and a long message must not fail to be stored because of it. It has no GIN index: row-level security keeps that
from being used (its operator is not leakproof), so a search narrows to a conversation or an archive first and then looks at
each row's vector (``store/hybrid.py``).
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    name varchar NOT NULL,
    embedding_model varchar,
    embedding_dimensions integer CHECK (embedding_dimensions BETWEEN 1 AND 4000),
    created_at timestamptz NOT NULL,
    CHECK ((embedding_model IS NULL) = (embedding_dimensions IS NULL))
);

CREATE TABLE agents (
    tenant_id uuid NOT NULL REFERENCES tenants (id) DEFERRABLE INITIALLY DEFERRED,
    id uuid NOT NULL,
    name varchar NOT NULL CHECK (name <> ''),
    description varchar NOT NULL,
    model jsonb NOT NULL,
    instructions varchar NOT NULL,
    tools text[] NOT NULL,
    memory jsonb NOT NULL,
    tags text[] NOT NULL,
    applied jsonb,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX agents_name ON agents (tenant_id, name) WHERE deleted_at IS NULL;

CREATE TABLE blocks (
    tenant_id uuid NOT NULL REFERENCES tenants (id) DEFERRABLE INITIALLY DEFERRED,
    id uuid NOT NULL,
    label varchar NOT NULL CHECK (label <> ''),
    value varchar NOT NULL,
    description varchar NOT NULL,
    limit_chars integer NOT NULL CHECK (limit_chars > 0),
    read_only boolean NOT NULL,
    owner varchar NOT NULL CHECK (owner IN ('config', 'agent')),
    revision integer NOT NULL CHECK (revision > 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE agent_blocks (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    block_id uuid NOT NULL,
    label varchar NOT NULL,
    position integer NOT NULL,
    PRIMARY KEY (tenant_id, agent_id, block_id),
    UNIQUE (tenant_id, agent_id, label),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, block_id) REFERENCES blocks (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX agent_blocks_block ON agent_blocks (tenant_id, block_id);

CREATE TABLE archives (
    tenant_id uuid NOT NULL REFERENCES tenants (id) DEFERRABLE INITIALLY DEFERRED,
    id uuid NOT NULL,
    name varchar NOT NULL,
    description varchar NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE agent_archives (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    archive_id uuid NOT NULL,
    position integer NOT NULL,
    PRIMARY KEY (tenant_id, agent_id, archive_id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, archive_id) REFERENCES archives (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX agent_archives_archive ON agent_archives (tenant_id, archive_id);

CREATE TABLE conversations (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    agent_id uuid NOT NULL,
    title varchar NOT NULL,
    next_seq integer NOT NULL CHECK (next_seq > 0),
    epoch integer NOT NULL CHECK (epoch > 0),
    resident_from integer NOT NULL CHECK (resident_from > 0),
    snapshot varchar,
    snapshot_tokens integer NOT NULL,
    summary varchar NOT NULL,
    summary_tokens integer NOT NULL,
    known_revisions jsonb NOT NULL,
    bias_tokens integer NOT NULL,
    paged_in integer NOT NULL,
    paged_out integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    archived_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX conversations_agent ON conversations (tenant_id, agent_id, updated_at DESC);

CREATE TABLE runs (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    conversation_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    state varchar NOT NULL CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    stop_reason varchar CHECK (stop_reason IN ('end_turn', 'max_steps', 'max_seconds', 'max_tokens', 'invalid_calls',
                                               'window_full', 'cancelled', 'error')),
    error jsonb,
    limits jsonb NOT NULL,
    idempotency_key varchar,
    request_hash varchar NOT NULL,
    epoch integer NOT NULL,
    worker_id uuid,
    lease_until timestamptz,
    cancel_requested_at timestamptz,
    attempts integer NOT NULL,
    steps integer NOT NULL,
    events integer NOT NULL,
    prompt_tokens integer NOT NULL,
    cached_tokens integer NOT NULL,
    completion_tokens integer NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK ((state IN ('completed', 'failed', 'cancelled')) = (stop_reason IS NOT NULL)),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX runs_one_running ON runs (tenant_id, conversation_id) WHERE state = 'running';
CREATE UNIQUE INDEX runs_idempotency ON runs (tenant_id, conversation_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_unfinished ON runs (tenant_id, position) WHERE state IN ('queued', 'running');
CREATE INDEX runs_conversation ON runs (tenant_id, conversation_id, position);

CREATE TABLE steps (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    run_id uuid NOT NULL,
    index integer NOT NULL,
    state varchar NOT NULL CHECK (state IN ('acting', 'done')),
    reply jsonb,
    model varchar NOT NULL,
    finish_reason varchar NOT NULL,
    prompt_tokens integer NOT NULL,
    cached_tokens integer NOT NULL,
    completion_tokens integer NOT NULL,
    timings jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, run_id, index),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE tool_calls (
    tenant_id uuid NOT NULL,
    step_id uuid NOT NULL,
    index integer NOT NULL,
    run_id uuid NOT NULL,
    name varchar NOT NULL,
    state varchar NOT NULL CHECK (state IN ('started', 'done')),
    result varchar,
    status varchar NOT NULL CHECK (status IN ('ok', 'error')),
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, step_id, index),
    FOREIGN KEY (tenant_id, step_id) REFERENCES steps (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX tool_calls_run ON tool_calls (tenant_id, run_id);

CREATE TABLE run_events (
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    seq integer NOT NULL CHECK (seq > 0),
    data jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, run_id, seq),
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE messages (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    run_id uuid NOT NULL,
    step_id uuid,
    seq integer CHECK (seq > 0),
    role varchar NOT NULL CHECK (role IN ('user', 'assistant', 'tool', 'notice')),
    content varchar NOT NULL,
    reasoning varchar NOT NULL,
    calls jsonb,
    call_id varchar,
    name varchar,
    status varchar NOT NULL CHECK (status IN ('ok', 'error')),
    tokens integer NOT NULL,
    created_at timestamptz NOT NULL,
    words tsvector NOT NULL GENERATED ALWAYS AS (
        to_tsvector('simple', left(content, 100000)) || to_tsvector('english', left(content, 100000))) STORED,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, conversation_id, seq),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, step_id) REFERENCES steps (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX messages_run ON messages (tenant_id, run_id);

CREATE TABLE block_revisions (
    tenant_id uuid NOT NULL,
    block_id uuid NOT NULL,
    revision integer NOT NULL CHECK (revision > 0),
    value varchar NOT NULL,
    author varchar NOT NULL CHECK (author <> ''),
    edit jsonb NOT NULL,
    run_id uuid,
    step_id uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, block_id, revision),
    FOREIGN KEY (tenant_id, block_id) REFERENCES blocks (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, step_id) REFERENCES steps (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE passages (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    archive_id uuid NOT NULL,
    text varchar NOT NULL,
    tags text[] NOT NULL,
    source varchar NOT NULL,
    evidence uuid[] NOT NULL,
    run_id uuid,
    step_id uuid,
    superseded_by uuid,
    superseded_at timestamptz,
    created_at timestamptz NOT NULL,
    words tsvector NOT NULL GENERATED ALWAYS AS (
        to_tsvector('simple', left(text, 100000)) || to_tsvector('english', left(text, 100000))) STORED,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, archive_id) REFERENCES archives (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, run_id) REFERENCES runs (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, step_id) REFERENCES steps (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, superseded_by) REFERENCES passages (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX passages_archive ON passages (tenant_id, archive_id, created_at) WHERE superseded_at IS NULL;

CREATE TABLE passage_embeddings (
    tenant_id uuid NOT NULL,
    passage_id uuid NOT NULL,
    model varchar NOT NULL,
    embedding halfvec NOT NULL,
    PRIMARY KEY (tenant_id, passage_id, model),
    FOREIGN KEY (tenant_id, passage_id) REFERENCES passages (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE message_embeddings (
    tenant_id uuid NOT NULL,
    message_id uuid NOT NULL,
    model varchar NOT NULL,
    embedding halfvec NOT NULL,
    PRIMARY KEY (tenant_id, message_id, model),
    FOREIGN KEY (tenant_id, message_id) REFERENCES messages (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
"""

OWNED = (
    "agents", "blocks", "agent_blocks", "archives", "agent_archives", "conversations", "runs", "steps", "tool_calls",
    "run_events", "messages", "block_revisions", "passages", "passage_embeddings", "message_embeddings",
)  # fmt: skip

# Without a tenant the setting is NULL, or '' once a transaction of the connection has set it: both see no rows.
CURRENT_TENANT = "nullif(current_setting('app.tenant', true), '')::uuid"


def upgrade() -> None:
    """Make the tables and put each under its policy."""
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table, column in (("tenants", "id"), *((name, "tenant_id") for name in OWNED)):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        mine = f"{column} = {CURRENT_TENANT}"
        op.execute(f"CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})")


def downgrade() -> None:
    """Nothing goes back: a newer home folder is opened by a newer Pagemind."""
    raise NotImplementedError
