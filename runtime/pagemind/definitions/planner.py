"""The planner: last applied, live and wanted in, a plan out. Pure, and the same for ``plan`` and ``apply``.

Three-way per field. What only the file changed is updated. What was only changed live stays, and is told. What both changed
becomes what the file says, and both values are told. Two things are not three-way: the value of a block that the config owns
is always the file's, and the value of a block that the agent owns is never the file's once it exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, cast

from pagemind.definitions.schema import AgentDefinition, BlockSpec, MemorySpec, ModelSpec, as_json
from pagemind.records import Json, Owner

Action = Literal["create", "update", "remove", "keep"]


@dataclass(frozen=True)
class Change:
    """One field that differs. ``keep`` says what differs and yet stays as it is."""

    path: str
    action: Action
    before: Any = None
    after: Any = None
    note: str = ""


@dataclass(frozen=True)
class LiveBlock:
    """A block as it stands: unlike a ``BlockSpec``, its text may be longer than a limit that was lowered since."""

    owner: Owner
    value: str
    description: str
    limit: int
    read_only: bool

    @classmethod
    def of(cls, spec: BlockSpec) -> LiveBlock:
        """The block as the file seeds it."""
        return cls(spec.owner, spec.value, spec.description, spec.limit, spec.read_only)


@dataclass(frozen=True)
class LiveAgent:
    """An agent as it stands in the store, or as a plan would leave it. ``blocks`` are by label, in order."""

    name: str
    description: str
    model: Json
    instructions: str
    tools: tuple[str, ...]
    memory: Json
    tags: tuple[str, ...]
    blocks: Mapping[str, LiveBlock] = field(default_factory=dict[str, LiveBlock])


@dataclass(frozen=True)
class Plan:
    """What an apply would do: the changes to show, the agent they lead to, and the base of the next plan."""

    agent: str
    exists: bool
    changes: tuple[Change, ...]
    result: LiveAgent
    applied: Json

    @property
    def is_clean(self) -> bool:
        """Whether nothing would change; kept differences do not count."""
        return all(change.action == "keep" for change in self.changes)


def plan(wanted: AgentDefinition, live: LiveAgent | None, applied: Json | None, *, prune: bool = False) -> Plan:
    """What turns ``live`` into what ``wanted`` says, given the definition last ``applied`` (as ``schema.as_json`` wrote it).

    ``live`` is None where there is no such agent. ``prune`` also detaches blocks that the file does not name.
    """
    if live is None:
        return _creation(wanted)
    base = applied or {}
    seeds = _seeds(wanted)
    fields, field_changes = _merge_fields(wanted, live, base)
    merged, block_changes = _merge_blocks(seeds, live.blocks, base.get("blocks", {}), prune=prune)
    blocks, order_changes = _in_order(merged, list(seeds), list(live.blocks))
    return Plan(
        agent=wanted.name,
        exists=True,
        changes=(*field_changes, *block_changes, *order_changes),
        result=_from_fields(wanted.name, fields, blocks),
        applied=as_json(wanted),
    )


def _creation(wanted: AgentDefinition) -> Plan:
    fields, defaults, blocks = _wanted_fields(wanted), _default_fields(), _seeds(wanted)
    changes = [Change("name", "create", None, wanted.name)]
    changes += [Change(path, "create", None, value) for path, value in fields.items() if value != defaults[path]]
    changes += [_block_creation(label, block) for label, block in blocks.items()]
    result = _from_fields(wanted.name, fields, blocks)
    return Plan(wanted.name, exists=False, changes=tuple(changes), result=result, applied=as_json(wanted))


def _seeds(wanted: AgentDefinition) -> dict[str, LiveBlock]:
    return {label: LiveBlock.of(spec) for label, spec in wanted.blocks.items()}


# --- fields -------------------------------------------------------------------------------------------------------------

_MISSING: Any = object()
_CONFLICT = "conflict: changed live too; the file wins"
_SECTIONS = {"model": ModelSpec, "memory": MemorySpec}


def _merge_fields(wanted: AgentDefinition, live: LiveAgent, base: Json) -> tuple[dict[str, Any], list[Change]]:
    before, after, last = _live_fields(live), _wanted_fields(wanted), _flat_definition(base) if base else {}
    merged, changes = dict(before), list[Change]()
    for path, value in after.items():
        merged[path], change = _three_way(path, last.get(path, _MISSING), before.get(path), value)
        changes += [change] if change else []
    return merged, changes


def _three_way(path: str, last: Any, live: Any, wanted: Any) -> tuple[Any, Change | None]:
    """The value that the field gets, and the change to tell; None where live and wanted agree."""
    if live == wanted:
        return live, None
    if last == wanted:
        return live, Change(path, "keep", live, wanted, "changed live, the file did not change: kept")
    if last is _MISSING or last == live:
        return wanted, Change(path, "update", live, wanted)
    return wanted, Change(path, "update", live, wanted, _CONFLICT)


def _flat(value: Json, prefix: str) -> dict[str, Any]:
    """The leaves of nested objects by dotted path."""
    leaves: dict[str, Any] = {}
    for key, inner in value.items():
        leaves |= _flat(cast("Json", inner), f"{prefix}{key}.") if isinstance(inner, dict) else {f"{prefix}{key}": inner}
    return leaves


def _flat_definition(definition: Json) -> dict[str, Any]:
    """The fields of a definition as JSON, by dotted path; the blocks are not among them."""
    fields: dict[str, Any] = {key: definition.get(key, "") for key in ("description", "instructions")}
    fields |= {key: list(definition.get(key, ())) for key in ("tools", "tags")}
    for section, spec in _SECTIONS.items():
        given = {key: value for key, value in definition.get(section, {}).items() if value is not None}
        fields |= _flat(spec().model_dump(mode="json"), f"{section}.") | _flat(given, f"{section}.")
    return fields


def _wanted_fields(wanted: AgentDefinition) -> dict[str, Any]:
    return _flat_definition(as_json(wanted))


def _live_fields(live: LiveAgent) -> dict[str, Any]:
    names = ("description", "instructions", "tools", "tags", *_SECTIONS)
    return _flat_definition({name: getattr(live, name) for name in names})


def _default_fields() -> dict[str, Any]:
    return _flat_definition({"tools": AgentDefinition.model_fields["tools"].default})


def _section(fields: Mapping[str, Any], section: str) -> Json:
    """The nested object whose leaves stand under ``section.``."""
    nested: Json = {}
    for path, value in fields.items():
        name, *inner = path.split(".")
        if name == section:
            place = nested
            for key in inner[:-1]:
                place = place.setdefault(key, {})
            place[inner[-1]] = value
    return nested


def _from_fields(name: str, fields: Mapping[str, Any], blocks: Mapping[str, LiveBlock]) -> LiveAgent:
    return LiveAgent(
        name=name,
        description=fields["description"],
        model=_section(fields, "model"),
        instructions=fields["instructions"],
        tools=tuple(fields["tools"]),
        memory=_section(fields, "memory"),
        tags=tuple(fields["tags"]),
        blocks=blocks,
    )


# --- blocks -------------------------------------------------------------------------------------------------------------


def _merge_blocks(
    wanted: Mapping[str, LiveBlock], live: Mapping[str, LiveBlock], last: Mapping[str, Json], *, prune: bool
) -> tuple[dict[str, LiveBlock], list[Change]]:
    merged, changes = dict[str, LiveBlock](), list[Change]()
    for label, block in live.items():
        if label in wanted:
            merged[label], told = _merge_block(label, wanted[label], block, last.get(label, {}))
        else:
            kept, told = _unwanted(label, block, label in last, prune=prune)
            merged |= {label: block} if kept else {}
        changes += told
    for label, block in wanted.items():
        if label not in live:
            created, told = _absent(label, block, label in last)
            merged |= {label: block} if created else {}
            changes += told
    return merged, changes


def _block_creation(label: str, block: LiveBlock) -> Change:
    return Change(f"blocks.{label}", "create", None, asdict(block))


def _absent(label: str, block: LiveBlock, was_applied: bool) -> tuple[bool, list[Change]]:
    """Whether a block that the agent does not have is made. An agent's block is seeded only once."""
    if was_applied and block.owner is Owner.agent:
        note = "detached live: not seeded again (apply once without it to have it anew)"
        return False, [Change(f"blocks.{label}", "keep", None, asdict(block), note)]
    return True, [_block_creation(label, block)]


def _unwanted(label: str, block: LiveBlock, was_applied: bool, *, prune: bool) -> tuple[bool, list[Change]]:
    """Whether a block that the file does not name stays."""
    if prune or (was_applied and block.owner is Owner.config):
        return False, [Change(f"blocks.{label}", "remove", asdict(block), None, "detached; its history is kept")]
    return True, [Change(f"blocks.{label}", "keep", asdict(block), None, "not in the file: kept (--prune detaches it)")]


def _merge_block(label: str, wanted: LiveBlock, live: LiveBlock, last: Json) -> tuple[LiveBlock, list[Change]]:
    """The block as the apply leaves it: the file says who owns it, the owner whose value it has."""
    path = f"blocks.{label}"
    merged, changes = replace(live, owner=wanted.owner), list[Change]()
    if live.owner != wanted.owner:
        changes.append(Change(f"{path}.owner", "update", live.owner.value, wanted.owner.value))
    if wanted.owner is Owner.config and wanted.value != live.value:
        merged = replace(merged, value=wanted.value)
        changes.append(Change(f"{path}.value", "update", live.value, wanted.value, _value_note(wanted, live, last)))
    for key in ("description", "limit", "read_only"):
        value, change = _three_way(f"{path}.{key}", last.get(key, _MISSING), getattr(live, key), getattr(wanted, key))
        merged = replace(merged, **{key: value})
        changes += [change] if change else []
    return merged, [_with_overflow(change, merged) for change in changes]


def _value_note(wanted: LiveBlock, live: LiveBlock, last: Json) -> str:
    if live.owner is Owner.agent:
        return "the file takes the block over; the agent's text stays in its history"
    if last.get("value", live.value) == live.value:
        return ""
    return "changed live; the file has the last word" if last["value"] == wanted.value else _CONFLICT


def _with_overflow(change: Change, block: LiveBlock) -> Change:
    """Say so where a limit falls below the text that stays."""
    if change.action != "update" or not change.path.endswith(".limit") or len(block.value) <= block.limit:
        return change
    note = f"{change.note}; " if change.note else ""
    return replace(change, note=f"{note}the text has {len(block.value)} characters and can only be shortened")


def _in_order(
    blocks: Mapping[str, LiveBlock], wanted: Sequence[str], live: Sequence[str]
) -> tuple[dict[str, LiveBlock], list[Change]]:
    """The blocks in the file's order, and those that it does not name where they stood."""
    stood = [label for label in live if label in blocks and label in wanted]
    asked = [label for label in wanted if label in stood]
    changes = [Change("blocks", "update", stood, asked, "order")] if stood != asked else []
    moved = iter(asked)
    order = [next(moved) if label in stood else label for label in live if label in blocks]
    place = 0
    for label in wanted:
        if label in order:
            place = order.index(label) + 1
        elif label in blocks:
            order.insert(place, label)
            place += 1
    return {label: blocks[label] for label in order}, changes
