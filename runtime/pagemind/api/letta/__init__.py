"""The wire that `letta-client` speaks: one module a group of endpoints. Nothing below `api` knows it."""
