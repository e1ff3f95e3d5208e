"""Tool rules: which tools an agent may call now, and whether its run may end. Pure: rules and calls in, a verdict out.

The rules are JSON in the neutral form that Letta's clients write: ``{"type", "tool_name", ...}``. What was called so far is
read from the history, so that a run which goes on after a crash, or after an approval, goes on under the same rules.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from pagemind.memory.pager import exchanges
from pagemind.records import Json, Message, Role

VIOLATION = "Not called, by a tool rule:"
"""How the return of a call begins that a rule forbade."""
DENIED = "Error: the call was denied by the user."
"""How the return of a call begins that a person denied."""
UNANSWERED = "Error: the call was not run:"
"""How the return of a call begins that nobody answered."""
NOT_CALLED = (VIOLATION, DENIED, UNANSWERED)

SHAPE = ConfigDict(extra="ignore")
ToolName = str


@checked(frozen=True, config=SHAPE, kw_only=True)
class RunFirst:
    """One of the tools with this rule is called before any other; ``args`` take the place of what the model writes."""

    tool_name: ToolName
    args: Json | None = None
    prompt_template: str | None = None
    type: Literal["run_first"] = "run_first"


@checked(frozen=True, config=SHAPE, kw_only=True)
class ExitLoop:
    """The run ends after this tool."""

    tool_name: ToolName
    prompt_template: str | None = None
    type: Literal["exit_loop"] = "exit_loop"


@checked(frozen=True, config=SHAPE, kw_only=True)
class ContinueLoop:
    """The run goes on after this tool."""

    tool_name: ToolName
    prompt_template: str | None = None
    type: Literal["continue_loop"] = "continue_loop"


@checked(frozen=True, config=SHAPE, kw_only=True)
class ChildArgs:
    """What takes the place of a child's arguments."""

    name: ToolName
    args: Json | None = None


@checked(frozen=True, config=SHAPE, kw_only=True)
class ConstrainChildTools:
    """After this tool one of its children is called."""

    tool_name: ToolName
    children: tuple[ToolName, ...]
    child_arg_nodes: tuple[ChildArgs, ...] | None = None
    prompt_template: str | None = None
    type: Literal["constrain_child_tools"] = "constrain_child_tools"


@checked(frozen=True, config=SHAPE, kw_only=True)
class ParentLastTool:
    """The children are called right after this tool and at no other time."""

    tool_name: ToolName
    children: tuple[ToolName, ...]
    prompt_template: str | None = None
    type: Literal["parent_last_tool"] = "parent_last_tool"


@checked(frozen=True, config=SHAPE, kw_only=True)
class Conditional:
    """What this tool gave back says which tool is called next.

    Where nothing fits it is ``default_child``, else any; with ``require_output_mapping`` none, so that the agent has to answer.
    """

    tool_name: ToolName
    child_output_mapping: dict[str, ToolName] = Field(min_length=1)
    default_child: ToolName | None = None
    require_output_mapping: bool = False
    prompt_template: str | None = None
    type: Literal["conditional"] = "conditional"


@checked(frozen=True, config=SHAPE, kw_only=True)
class MaxCountPerStep:
    """The tool is called at most so often in one run."""

    tool_name: ToolName
    max_count_limit: int
    prompt_template: str | None = None
    type: Literal["max_count_per_step"] = "max_count_per_step"


@checked(frozen=True, config=SHAPE, kw_only=True)
class RequiredBeforeExit:
    """The tool is called at least once before the run ends."""

    tool_name: ToolName
    prompt_template: str | None = None
    type: Literal["required_before_exit"] = "required_before_exit"


@checked(frozen=True, config=SHAPE, kw_only=True)
class RequiresApproval:
    """A person approves of each call of the tool before it runs."""

    tool_name: ToolName
    prompt_template: str | None = None
    type: Literal["requires_approval"] = "requires_approval"


Rule = (
    RunFirst
    | ExitLoop
    | ContinueLoop
    | ConstrainChildTools
    | ParentLastTool
    | Conditional
    | MaxCountPerStep
    | RequiredBeforeExit
    | RequiresApproval
)
_BY_TYPE: Mapping[str, TypeAdapter[Rule]] = {
    "run_first": TypeAdapter(RunFirst),
    "exit_loop": TypeAdapter(ExitLoop),
    "continue_loop": TypeAdapter(ContinueLoop),
    "constrain_child_tools": TypeAdapter(ConstrainChildTools),
    "parent_last_tool": TypeAdapter(ParentLastTool),
    "conditional": TypeAdapter(Conditional),
    "max_count_per_step": TypeAdapter(MaxCountPerStep),
    "required_before_exit": TypeAdapter(RequiredBeforeExit),
    "requires_approval": TypeAdapter(RequiresApproval),
}


@dataclass(frozen=True)
class Called:
    """A call of this run and what it gave back."""

    name: str
    result: str = ""


@dataclass(frozen=True)
class Allowed:
    """What may be called now. ``must_call``: a reply without a call would leave a rule unmet.

    ``args`` has, by tool, what takes the place of the model's arguments.
    """

    tools: frozenset[str]
    must_call: bool = False
    args: Mapping[str, Json] = field(default_factory=dict[str, Json])


def parse_rule(rule: Json) -> Rule:
    """The rule that the JSON says. Raises ValueError for one that is none."""
    kind = rule.get("type")
    if not isinstance(kind, str) or kind not in _BY_TYPE:
        raise ValueError(f"there is no tool rule of the type {kind!r}; there are {', '.join(_BY_TYPE)}")
    return _BY_TYPE[kind].validate_python(rule)


def parse_rules(rules: Iterable[Json]) -> tuple[Rule, ...]:
    """The rules of an agent. One that this version does not know does not stop the agent: it is left out."""
    return _parsed(json.dumps(list(rules), sort_keys=True)) if rules else ()


@lru_cache(512)
def _parsed(rules: str) -> tuple[Rule, ...]:
    known: list[Rule] = []
    for rule in json.loads(rules):
        try:
            known.append(parse_rule(rule))
        except (ValidationError, ValueError):
            continue
    return tuple(known)


def called_so_far(messages: Sequence[Message]) -> list[Called]:
    """The calls since the newest input that ran, in order; those that a rule forbade or a person denied are left out."""
    newest = (exchanges(messages) or [()])[-1]
    last_input = max((n for n, each in enumerate(newest) if each.role in (Role.user, Role.system)), default=-1)
    return [
        Called(each.name or "", each.content)
        for each in newest[last_input + 1 :]
        if each.role == Role.tool and not each.content.startswith(NOT_CALLED)
    ]


def allowed_now(rules: Sequence[Rule], tools: Iterable[str], called: Sequence[Called]) -> Allowed:
    """Which of the agent's ``tools`` may be called after those that were."""
    there = frozenset(tools)
    first = [rule for rule in rules if isinstance(rule, RunFirst) and rule.tool_name in there]
    if first and not called:
        args = {rule.tool_name: rule.args for rule in first if rule.args}
        return Allowed(frozenset(rule.tool_name for rule in first), must_call=True, args=args)
    last = called[-1] if called else None
    left, must_call, args = there, False, dict[str, Json]()
    for rule in rules:
        left &= _left_by(rule, there, called)
        if last and isinstance(rule, ConstrainChildTools | ParentLastTool | Conditional) and rule.tool_name == last.name:
            must_call = True
        if last and isinstance(rule, ConstrainChildTools) and rule.tool_name == last.name:
            args |= {node.name: node.args for node in rule.child_arg_nodes or () if node.args}
    return Allowed(left, must_call=must_call and bool(left), args={name: each for name, each in args.items() if name in left})


def _left_by(rule: Rule, there: frozenset[str], called: Sequence[Called]) -> frozenset[str]:
    """The tools that one rule leaves."""
    last = called[-1] if called else None
    is_last = last is not None and last.name == rule.tool_name
    match rule:
        case ConstrainChildTools():
            return frozenset(rule.children) if is_last else there
        case ParentLastTool():
            return frozenset(rule.children) if is_last else there - set(rule.children)
        case Conditional():
            return _mapped(rule, last.result, there) if last is not None and is_last else there
        case MaxCountPerStep():
            count = sum(each.name == rule.tool_name for each in called)
            return there - {rule.tool_name} if count >= rule.max_count_limit else there
        case RunFirst() | ExitLoop() | ContinueLoop() | RequiredBeforeExit() | RequiresApproval():
            return there


def _mapped(rule: Conditional, result: str, there: frozenset[str]) -> frozenset[str]:
    """The tool that the result leads to."""
    for key, child in rule.child_output_mapping.items():
        if fits(result, key):
            return frozenset({child})
    if rule.require_output_mapping:
        return frozenset()
    return frozenset({rule.default_child}) if rule.default_child else there


def fits(result: str, key: str) -> bool:
    """Whether a tool gave back what the key says: the same text, truth value or number."""
    given, wanted = result.strip(), key.strip()
    if given == wanted:
        return True
    if wanted.lower() in ("true", "false"):
        return given.lower() == wanted.lower()
    try:
        return float(given) == float(wanted)
    except ValueError:
        return False


def missing(rules: Sequence[Rule], tools: Iterable[str], called: Sequence[Called]) -> list[str]:
    """The tools that have to be called before the run may end, in the order of their rules."""
    there, done = set(tools), {each.name for each in called}
    wanted = [rule.tool_name for rule in rules if isinstance(rule, RequiredBeforeExit)]
    return [name for name in dict.fromkeys(wanted) if name in there and name not in done]


def ends(rules: Sequence[Rule], tools: Iterable[str], called: Sequence[Called], newly: Sequence[str]) -> bool:
    """Whether the run ends with the step that called ``newly``; ``called`` has them, too."""
    leaving = {rule.tool_name for rule in rules if isinstance(rule, ExitLoop)}
    return bool(leaving.intersection(newly)) and not missing(rules, tools, called)


def waiting_for_approval(rules: Iterable[Rule]) -> frozenset[str]:
    """The tools that a rule wants a person's approval for."""
    return frozenset(rule.tool_name for rule in rules if isinstance(rule, RequiresApproval))


def violation(name: str, allowed: Allowed) -> str:
    """What the agent is told of a call that no rule allows now."""
    may = ", ".join(sorted(allowed.tools))
    return f"{VIOLATION} {name} may not be called now. " + (
        f"You may call: {may}." if may else "Answer without calling a tool."
    )


def with_args(arguments: str, given: Mapping[str, Any]) -> str:
    """The model's arguments with those that a rule gives in their place; what is no JSON object stays as it is."""
    try:
        written: object = json.loads(arguments) if arguments.strip() else {}
    except ValueError:
        return arguments
    return json.dumps({**written, **given}) if isinstance(written, dict) else arguments  # pyright: ignore[reportUnknownArgumentType]
