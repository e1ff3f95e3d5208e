"""Tool rules as they come: which tool may be called when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, TypeAdapter

from pagemind.memory.rules import Rule
from pagemind.records import Json

MOST_RULES = 200
ToolRule = Annotated[Rule, Field(discriminator="type")]
ToolRules = Annotated[list[ToolRule], Field(max_length=MOST_RULES)]
_RULES = TypeAdapter(list[Rule])


def kept_rules(rules: Sequence[Rule]) -> list[Json]:
    """The rules as an agent's row has them, and as they are given back."""
    return _RULES.dump_python(list(rules), mode="json")
