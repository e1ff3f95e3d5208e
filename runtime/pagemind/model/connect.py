"""Opening the reasoner behind one server."""

from __future__ import annotations

import importlib
from typing import Any, cast

from pagemind.model.replicas import Replica
from pagemind.settings import Settings


def open_server(settings: Settings, url: str, **details: Any) -> Replica:
    """The reasoner behind one server. ``details`` are the keywords of ``OpenAIReasoner``."""
    # The openai client takes half a second to import: only those pay for it who have a server to talk to.
    module = importlib.import_module("pagemind.model.openai_reasoner")
    return cast("Replica", module.OpenAIReasoner(settings, url, **details))
