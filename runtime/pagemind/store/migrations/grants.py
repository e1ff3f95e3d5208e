"""What the runtime's role may do, table by table: nothing that is not named here, and TRUNCATE nowhere.

History is append-only for it: what was said, revised or emitted is neither changed nor removed. Run after each migration,
since the role's name is configuration.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

KEEPS = "SELECT, INSERT"
CHANGES = "SELECT, INSERT, UPDATE"
MOVES = "SELECT, INSERT, UPDATE, DELETE"

GRANTS = {
    "alembic_version": "SELECT",
    "tenants": CHANGES,
    "agents": CHANGES,
    "blocks": CHANGES,
    "block_revisions": KEEPS,
    "agent_blocks": MOVES,
    "archives": CHANGES,
    "agent_archives": MOVES,
    # A passage's words stand for good; how far it is trusted, and for how long, changes.
    "passages": "SELECT, INSERT, UPDATE (tags, origin, confidence, identity_id, refreshed_at, review_by, expires_at,"
    " superseded_by, superseded_at)",
    "passage_embeddings": MOVES,
    "conversations": CHANGES,
    # A message's words stand for good; only its place and its cost are found later.
    "messages": "SELECT, INSERT, UPDATE (seq, step_id, tokens, status, stamped, created_at)",
    "message_embeddings": MOVES,
    "search_collections": MOVES,
    "embedding_models": MOVES,
    "unembedded": MOVES,
    "runs": CHANGES,
    "steps": CHANGES,
    "tool_calls": CHANGES,
    "run_events": KEEPS,
    "epochs": "SELECT, INSERT, UPDATE (prompt_tokens, cached_tokens, completion_tokens)",
    "page_faults": KEEPS,
    "api_keys": CHANGES,
    "tenancies": KEEPS,
    "identities": MOVES,
    "agent_identities": MOVES,
    "block_identities": MOVES,
    "mcp_servers": MOVES,
    "tools": MOVES,
    "folders": MOVES,
    "files": MOVES,
    "agent_folders": MOVES,
    "agent_files": MOVES,
}

# COPY does not write to tables under row-level security: what comes in bulk goes through a temporary table.
MAY_MAKE_TEMPORARY = text("SELECT has_database_privilege(:role, current_database(), 'TEMPORARY')")


def grant(connection: Connection, app_role: str) -> None:
    """Give the runtime's role exactly these rights."""
    quoted = connection.dialect.identifier_preparer.quote
    role, database = quoted(app_role), quoted(connection.execute(text("SELECT current_database()")).scalar_one())
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {role}"))
    if not connection.execute(MAY_MAKE_TEMPORARY, {"role": app_role}).scalar_one():
        connection.execute(text(f"GRANT TEMPORARY ON DATABASE {database} TO {role}"))
    for table, rights in GRANTS.items():
        connection.execute(text(f"REVOKE ALL ON {table} FROM {role}"))
        connection.execute(text(f"GRANT {rights} ON {table} TO {role}"))
