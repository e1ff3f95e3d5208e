"""From a live agent to a file that, applied elsewhere, makes the same agent."""

from __future__ import annotations

import re
from typing import Any, cast

import yaml
from pydantic import ValidationError

from pagemind.definitions.interpolate import escape
from pagemind.definitions.nodes import SCALARS, TAG
from pagemind.definitions.planner import LiveAgent
from pagemind.definitions.schema import DEFAULT_TOOLS, AgentDefinition, BlockSpec, MemorySpec, ModelSpec, Spec
from pagemind.errors import DefinitionError
from pagemind.records import Json

HEADER = "# yaml-language-server: $schema=agent.schema.json\n"


class NotExportable(DefinitionError):
    """The agent {where} cannot be written as a definition. Fix: change what is named, then export again."""

    code = "not_exportable"


def definition_of(live: LiveAgent) -> AgentDefinition:
    """The definition that makes this agent; what its agents' blocks hold now become their seeds.

    NotExportable where the agent has something that no definition may say, such as a text over its block's limit.
    """
    values: Json = {
        "version": 1,
        "kind": "agent",
        "name": live.name,
        "description": live.description,
        "model": _given(live.model),
        "instructions": live.instructions,
        "blocks": {label: vars(block) for label, block in live.blocks.items()},
        "tools": live.tools,
        "memory": _given(live.memory),
        "tags": live.tags,
    }
    try:
        return AgentDefinition.model_validate(values)
    except ValidationError as invalid:
        reasons = (f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors(include_input=False))
        raise NotExportable("; ".join(reasons), where=repr(live.name)) from None


def to_yaml(definition: AgentDefinition) -> str:
    """The definition as a file: keys in the schema's order, defaults left out, long texts as blocks of lines."""
    return HEADER + yaml.dump(
        _document(definition), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False
    )


def _given(section: Json) -> Json:
    return {key: value for key, value in section.items() if value is not None}


def _document(definition: AgentDefinition) -> Json:
    document: Json = {"version": 1, "kind": "agent", "name": definition.name}
    if definition.description:
        document["description"] = escape(definition.description)
    if definition.model != ModelSpec():
        document["model"] = _changed(definition.model)
    document["instructions"] = escape(definition.instructions)
    if definition.blocks:
        document["blocks"] = {label: _block(block) for label, block in definition.blocks.items()}
    if definition.tools != DEFAULT_TOOLS:
        document["tools"] = list(definition.tools)
    if definition.memory != MemorySpec():
        document["memory"] = _changed(definition.memory)
    if definition.tags:
        document["tags"] = [escape(tag) for tag in definition.tags]
    return document


def _changed(spec: Spec) -> Json:
    """The keys that differ from their defaults. A secret is written as its reference, other texts as they are."""
    document: Json = spec.model_dump(mode="json", exclude_defaults=True)
    secret = document.pop("api_key", None)
    return cast("Json", _escaped(document)) | ({"api_key": secret} if secret else {})


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(inner) for key, inner in cast("Json", value).items()}
    return escape(value) if isinstance(value, str) else value


def _block(block: BlockSpec) -> Json:
    given = {"owner": block.owner.value} | _changed(block)
    order = ("owner", "description", "limit", "read_only", "value")
    return {key: given[key] for key in order if key in given}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as ``|`` blocks where YAML can, and never an anchor."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values out each time: a definition may not hold aliases."""
        return True


# YAML folds other line ends into its own, and indentation on the first line of a block of lines reads badly.
_QUOTED = re.compile(r"[\x85\u2028\u2029\ufeff\r]|\A\s")


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if _QUOTED.search(value) else "|" if "\n" in value else None
    return dumper.represent_scalar(f"{TAG}str", value, style=style)  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(str, _text)
for _name, _pattern, _first in SCALARS:
    # PyYAML quotes what YAML 1.1 reads as something else than a text; the loader reads YAML 1.2, in which other texts do.
    _Dumper.add_implicit_resolver(TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)  # pyright: ignore[reportUnknownMemberType]
