"""Ruling: what the agent's tool rules say at a point of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pagemind.memory.compiler import Generation
from pagemind.memory.rules import (
    Allowed,
    Called,
    Rule,
    allowed_now,
    called_so_far,
    ends,
    missing,
    parse_rules,
    waiting_for_approval,
    with_args,
)
from pagemind.records import Completion, Json, Role
from pagemind.records.view import Resident
from pagemind.toolbox.calls import ReadyCall
from pagemind.toolbox.registry import ToolSpec


@dataclass(frozen=True)
class Ruling:
    """The agent's rules and tools, and the calls of its run before this step."""

    rules: tuple[Rule, ...]
    tools: Mapping[str, ToolSpec]
    called: tuple[Called, ...]
    reminded: bool
    """Whether the agent was just told what it has to call before it may end."""

    def allowed(self, since: Sequence[Called] = ()) -> Allowed:
        """What may be called now, after the calls of this step that ran already."""
        return allowed_now(self.rules, self.tools, [*self.called, *since])

    def waits(self, call: ReadyCall) -> bool:
        """Whether somebody has to answer before the call has a result."""
        return call.spec.waits or call.spec.name in waiting_for_approval(self.rules)

    def waiting(self, calls: Sequence[ReadyCall]) -> list[str]:
        """The ids of the calls that wait; one that no rule allows is not worth asking for."""
        tools = self.allowed().tools
        return [call.request.id for call in calls if call.spec.name in tools and self.waits(call)]

    def missing(self) -> list[str]:
        """What has to be called before the run may end."""
        return missing(self.rules, self.tools, self.called)

    def ends(self, ran: Sequence[Called]) -> bool:
        """Whether the run ends with a step in which these calls ran."""
        return ends(self.rules, self.tools, [*self.called, *ran], [each.name for each in ran])

    def steered(self, how: Generation) -> Generation:
        """How the model is asked: a reply that has to call a tool is made to, where the server can do that."""
        if not self.rules:
            return how
        allowed, due = self.allowed(), self.missing() if self.reminded else []
        wanted = sorted(allowed.tools.intersection(due)) or (sorted(allowed.tools) if allowed.must_call else [])
        if not wanted:
            return how if allowed.tools or not self.tools else replace(how, tool_choice="none")
        return replace(how, tool_choice="required", only_tool=wanted[0] if len(wanted) == 1 else None)

    def filled(self, reply: Completion) -> Completion:
        """The reply with the arguments that rules give."""
        given: Mapping[str, Json] = self.allowed().args if self.rules else {}
        if not given or not any(call.name in given for call in reply.calls):
            return reply
        calls = (
            replace(call, arguments=with_args(call.arguments, given[call.name])) if call.name in given else call
            for call in reply.calls
        )
        return replace(reply, calls=tuple(calls))


def ruling_of(view: Resident, tools: Mapping[str, ToolSpec]) -> Ruling:
    """The ruling at the end of the history in the view."""
    rules = parse_rules(view.agent.rules)
    if not rules:
        return Ruling((), tools, (), reminded=False)
    reminded = bool(view.messages) and view.messages[-1].role == Role.notice
    return Ruling(rules, tools, tuple(called_so_far(view.messages)), reminded)
