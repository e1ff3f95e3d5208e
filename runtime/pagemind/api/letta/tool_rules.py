"""Tool rules as they come: which tool may be called when."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pagemind.api.values import Metadata, Name, Words

MOST_RULES = 200
Children = Annotated[list[Name], Field(max_length=200)]


class Rule(BaseModel):
    """What all rules say."""

    tool_name: Name
    prompt_template: Words | None = None


class InitRule(Rule):
    """The run begins with this tool."""

    type: Literal["run_first"] = "run_first"
    args: Metadata | None = None


class TerminalRule(Rule):
    """A call of this tool ends the run."""

    type: Literal["exit_loop"] = "exit_loop"


class ContinueRule(Rule):
    """A call of this tool does not end the run."""

    type: Literal["continue_loop"] = "continue_loop"


class ChildArguments(BaseModel):
    """Arguments that a child tool is called with."""

    name: Name
    args: Metadata | None = None


class ChildRule(Rule):
    """After this tool one of the children comes next."""

    type: Literal["constrain_child_tools"] = "constrain_child_tools"
    children: Children
    child_arg_nodes: Annotated[list[ChildArguments], Field(max_length=200)] | None = None


class ParentRule(Rule):
    """The children may be called only right after this tool."""

    type: Literal["parent_last_tool"] = "parent_last_tool"
    children: Children


class ConditionalRule(Rule):
    """What comes next depends on what the tool gave back."""

    type: Literal["conditional"] = "conditional"
    default_child: Name | None = None
    child_output_mapping: Annotated[dict[Words, Name], Field(max_length=200)]
    require_output_mapping: bool = False


class CountRule(Rule):
    """The tool may be called so often in a run."""

    type: Literal["max_count_per_step"] = "max_count_per_step"
    max_count_limit: Annotated[int, Field(ge=1, le=1_000_000)]


class RequiredRule(Rule):
    """The run may not end before this tool was called."""

    type: Literal["required_before_exit"] = "required_before_exit"


class ApprovalRule(Rule):
    """A person must approve each call of this tool."""

    type: Literal["requires_approval"] = "requires_approval"


ToolRule = Annotated[
    InitRule | TerminalRule | ContinueRule | ChildRule | ParentRule | ConditionalRule | CountRule | RequiredRule | ApprovalRule,
    Field(discriminator="type"),
]
ToolRules = Annotated[list[ToolRule], Field(max_length=MOST_RULES)]
