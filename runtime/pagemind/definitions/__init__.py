"""Agents as YAML files: what they may say, how they are read, and what an apply would change."""
