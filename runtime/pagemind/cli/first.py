"""The first start: a home folder without any agent gets the assistant that ships."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence

from pagemind.engine.runtime import Runtime
from pagemind.records.agents import Agent

FIRST_AGENT = "assistant.yaml"


async def agents_or_first(runtime: Runtime) -> Sequence[Agent]:
    """All agents; where there is none, the shipped assistant is applied first. Raises DefinitionError."""
    found = await runtime.agents()
    if found:
        return found
    # Reading YAML is of use on the very first start only, and later ones need not wait for it.
    loader = importlib.import_module("pagemind.definitions.loader")
    engine = importlib.import_module("pagemind.engine.apply")
    sources = loader.load([runtime.settings.content_folder / "agents" / FIRST_AGENT], os.environ)
    await engine.apply(runtime.kernel.database, sources)
    return await runtime.agents()
