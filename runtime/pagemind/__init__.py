"""Pagemind: a self-hosted runtime for stateful agents with paged memory."""

__version__ = "0.1.0"
