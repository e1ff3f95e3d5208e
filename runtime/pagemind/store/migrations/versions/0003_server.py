"""The server: keys and tenants, tools from source and of MCP servers, files, identities, and what its wire gives back.

What is deleted over the wire goes out of sight (``deleted_at``, or ``superseded_at`` of a passage) and keeps its history.
Agents made over the wire may share a name; those made from files may not.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE agents
    ADD COLUMN kind varchar NOT NULL DEFAULT '',
    ADD COLUMN rules jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN secrets jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN files_revision integer NOT NULL DEFAULT 0,
    ADD COLUMN extra jsonb NOT NULL DEFAULT '{}';
DROP INDEX agents_name;
CREATE UNIQUE INDEX agents_name ON agents (tenant_id, name) WHERE deleted_at IS NULL AND applied IS NOT NULL;
CREATE INDEX agents_by_age ON agents (tenant_id, created_at, id) WHERE deleted_at IS NULL;

ALTER TABLE blocks
    ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
    ADD COLUMN extra jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN deleted_at timestamptz;

ALTER TABLE archives
    ADD COLUMN extra jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN deleted_at timestamptz;

ALTER TABLE passages
    ADD COLUMN file_id uuid,
    ADD COLUMN extra jsonb NOT NULL DEFAULT '{}';
CREATE INDEX passages_file ON passages (tenant_id, file_id) WHERE file_id IS NOT NULL;

ALTER TABLE conversations
    ADD COLUMN main boolean NOT NULL DEFAULT false,
    ADD COLUMN extra jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN deleted_at timestamptz;
DROP INDEX conversations_agent;
CREATE INDEX conversations_agent ON conversations (tenant_id, agent_id);
CREATE UNIQUE INDEX conversations_main ON conversations (tenant_id, agent_id) WHERE main;

ALTER TABLE messages
    ALTER COLUMN run_id DROP NOT NULL,
    DROP CONSTRAINT messages_role_check,
    ADD CONSTRAINT messages_role_check CHECK (role IN ('user', 'system', 'approval', 'assistant', 'tool', 'notice')),
    ADD COLUMN needs_approval boolean NOT NULL DEFAULT false,
    ADD COLUMN approvals jsonb,
    ADD COLUMN parts jsonb,
    ADD COLUMN otid varchar,
    ADD COLUMN sender varchar;

ALTER TABLE runs
    ADD COLUMN request jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN extra jsonb NOT NULL DEFAULT '{}',
    DROP CONSTRAINT runs_stop_reason_check,
    ADD CONSTRAINT runs_stop_reason_check CHECK (stop_reason IN (
        'end_turn', 'max_steps', 'max_seconds', 'max_tokens', 'tool_rule', 'requires_approval', 'invalid_calls', 'window_full',
        'cancelled', 'error'));
CREATE INDEX runs_agent ON runs (tenant_id, agent_id, position);
DROP INDEX runs_unfinished;
CREATE INDEX runs_unfinished ON runs (tenant_id, conversation_id, position) WHERE state IN ('queued', 'running');

ALTER TABLE steps ADD COLUMN feedback varchar CHECK (feedback IN ('positive', 'negative'));

CREATE TABLE api_keys (
    tenant_id uuid NOT NULL REFERENCES tenants (id) DEFERRABLE INITIALLY DEFERRED,
    id uuid NOT NULL,
    name varchar NOT NULL,
    digest varchar NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, digest)
);

CREATE TABLE tenancies (
    tenant_id uuid NOT NULL REFERENCES tenants (id) DEFERRABLE INITIALLY DEFERRED,
    id uuid NOT NULL,
    name varchar NOT NULL CHECK (name <> ''),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

CREATE TABLE identities (
    tenant_id uuid NOT NULL REFERENCES tenants (id) DEFERRABLE INITIALLY DEFERRED,
    id uuid NOT NULL,
    identifier varchar NOT NULL CHECK (identifier <> ''),
    name varchar NOT NULL,
    kind varchar NOT NULL,
    properties jsonb NOT NULL,
    extra jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, identifier)
);

CREATE TABLE agent_identities (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, agent_id, identity_id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, identity_id) REFERENCES identities (tenant_id, id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE block_identities (
    tenant_id uuid NOT NULL,
    block_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, block_id, identity_id),
    FOREIGN KEY (tenant_id, block_id) REFERENCES blocks (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, identity_id) REFERENCES identities (tenant_id, id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE mcp_servers (
    tenant_id uuid NOT NULL REFERENCES tenants (id) DEFERRABLE INITIALLY DEFERRED,
    id uuid NOT NULL,
    name varchar NOT NULL CHECK (name <> ''),
    kind varchar NOT NULL CHECK (kind IN ('stdio', 'sse', 'streamable_http')),
    config jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

CREATE TABLE tools (
    tenant_id uuid NOT NULL REFERENCES tenants (id) DEFERRABLE INITIALLY DEFERRED,
    id uuid NOT NULL,
    name varchar NOT NULL CHECK (name <> ''),
    kind varchar NOT NULL CHECK (kind IN ('source', 'mcp')),
    description varchar NOT NULL,
    source varchar NOT NULL,
    parameters jsonb NOT NULL,
    tags text[] NOT NULL,
    needs_approval boolean NOT NULL,
    result_limit_chars integer CHECK (result_limit_chars > 0),
    mcp_server_id uuid,
    extra jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY (tenant_id, mcp_server_id) REFERENCES mcp_servers (tenant_id, id)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE folders (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name varchar NOT NULL CHECK (name <> ''),
    description varchar NOT NULL,
    instructions varchar NOT NULL,
    archive_id uuid NOT NULL,
    extra jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY (tenant_id, archive_id) REFERENCES archives (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE files (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    folder_id uuid NOT NULL,
    name varchar NOT NULL CHECK (name <> ''),
    media_type varchar NOT NULL,
    size_bytes bigint NOT NULL,
    text varchar NOT NULL,
    upload bytea,
    state varchar NOT NULL CHECK (state IN ('pending', 'embedding', 'completed', 'error')),
    error varchar NOT NULL,
    chunks integer NOT NULL,
    extra jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, folder_id) REFERENCES folders (tenant_id, id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX files_folder ON files (tenant_id, folder_id, created_at);
CREATE INDEX files_unfinished ON files (tenant_id, created_at) WHERE state IN ('pending', 'embedding');
CREATE UNIQUE INDEX files_name ON files (tenant_id, folder_id, name);

CREATE TABLE agent_folders (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    folder_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, agent_id, folder_id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, folder_id) REFERENCES folders (tenant_id, id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX agent_folders_folder ON agent_folders (tenant_id, folder_id);

CREATE TABLE agent_files (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    file_id uuid NOT NULL,
    id uuid NOT NULL,
    is_open boolean NOT NULL,
    first_line integer CHECK (first_line > 0),
    last_line integer CHECK (last_line >= first_line),
    shown varchar NOT NULL,
    revision integer NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, agent_id, file_id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (tenant_id, file_id) REFERENCES files (tenant_id, id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);
"""

OWNED = (
    "api_keys", "tenancies", "identities", "agent_identities", "block_identities", "mcp_servers", "tools", "folders", "files",
    "agent_folders", "agent_files",
)  # fmt: skip

# Without a tenant the setting is NULL, or '' once a transaction of the connection has set it: both see no rows.
MINE = "tenant_id = nullif(current_setting('app.tenant', true), '')::uuid"


def upgrade() -> None:
    """Add the columns, make the tables and put each under its policy."""
    for statement in CHANGES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table in OWNED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")


def downgrade() -> None:
    """Nothing goes back: a newer home folder is opened by a newer Pagemind."""
    raise NotImplementedError
