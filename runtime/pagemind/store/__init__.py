"""The database's edge: the embedded server, tenancy, migrations, and one module a noun. SQL lives here only."""
