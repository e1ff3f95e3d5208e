"""The messages of an agent file, in the order of the history, as ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pagemind.api.letta.agent_file_schema import FileAgent, FileMessage, FileReturn
from pagemind.api.letta.history import OLD_KINDS, Content, NewId, as_text, content_of, is_prompt, mended, returned, said
from pagemind.records import Conversation, Json, Message, Role, now
from pagemind.records.base import record_of
from pagemind.records.text import clean_text

EARLIER = "What was said before, in short: "
SEARCHES = frozenset({"archival_memory_search", "conversation_search"})
"""Tools whose returns repeat what is in memory already."""


@dataclass(frozen=True)
class History:
    """Messages without their places, the first ``out`` of which were out of the window, and the summary of those."""

    messages: list[Message]
    out: int
    summary: str
    mended: int


@dataclass
class Sitting:
    """What is read at the moment: of whom, for which conversation."""

    agent: FileAgent
    conversation: Conversation
    ids: NewId
    began: datetime
    summary: str = ""
    count: int = 0

    def message(self, given: FileMessage, role: Role, content: str, part: int = 0, **more: object) -> Message:
        """A message; those of one of Letta's have ids of their own."""
        place = f"message/{self.agent.id}/{given.id}" + (f"/{part}" if part else "")
        self.count += 1
        return record_of(
            Message,
            {
                "tenant_id": self.conversation.tenant_id,
                "id": self.ids(place),
                "conversation_id": self.conversation.id,
                "role": role,
                "content": content,
                "created_at": given.created_at or self.began + timedelta(microseconds=self.count),
                **more,
            },
        )


def history_of(agent: FileAgent, conversation: Conversation, ids: NewId) -> History:
    """The agent's messages. The compiled prompt goes; a summary at the very beginning stays as a message."""
    sitting = Sitting(agent, conversation, ids, now())
    inside = set(agent.in_context_message_ids)
    prompts = {message.id for message in agent.messages if message.role == Role.system and is_compiled(message, agent)}
    first_inside = next((message.id for message in agent.messages if message.id in inside - prompts), None)
    out, read = 0, list[Message]()
    for given in agent.messages:
        if given.id == first_inside:
            out = len(read)
        if given.id not in prompts:
            read += messages_of(given, sitting, begins=not read)
    if inside and first_inside is None:
        # Its context was emptied.
        out = len(read)
    whole, wrong = mended(read, ids)
    # What is mended before the window's beginning moves it a little; it is settled at a whole exchange in any case.
    return History(whole, min(out, len(whole)), sitting.summary, wrong)


def is_compiled(message: FileMessage, agent: FileAgent) -> bool:
    """Whether it is the prompt as Letta compiled it."""
    return is_prompt(content_of(message.content).text, agent.system or "")


def messages_of(given: FileMessage, sitting: Sitting, *, begins: bool) -> Iterator[Message]:
    """What one of Letta's messages is here: none, one, or several returns."""
    content = content_of(given.content)
    match given.role:
        case "user":
            yield from from_user(given, content, sitting, begins=begins)
        case "system":
            yield sitting.message(given, Role.system, content.text)
        case "assistant":
            yield assistant(given, content, sitting)
        case "approval" if given.tool_calls:
            yield assistant(given, content, sitting, needs_approval=True)
        case "approval":
            yield sitting.message(given, Role.approval, "", approvals=decisions(given))
        case "tool" | "function":
            yield from returns(given, content, sitting)
        case "summary":
            sitting.summary = content.text
            if begins:
                yield sitting.message(given, Role.system, EARLIER + content.text)
        case _:
            return


def from_user(given: FileMessage, content: Content, sitting: Sitting, *, begins: bool) -> Iterator[Message]:
    """A person's message, or what Letta's runtime said in its place."""
    found = said(content.text)
    if found.is_summary:
        sitting.summary = found.text
    match found.role:
        case None:
            return
        case Role.user:
            yield sitting.message(given, Role.user, clean_text(found.text), parts=content.parts)
        case role if found.is_summary:
            # Where what it tells of is not in the file, the summary is all there is of it.
            if begins:
                yield sitting.message(given, role, EARLIER + found.text)
        case role:
            yield sitting.message(given, role, clean_text(found.text))


def assistant(given: FileMessage, content: Content, sitting: Sitting, *, needs_approval: bool = False) -> Message:
    """An assistant's message with its calls. The older types of agents thought in the text beside a call."""
    calls: list[Json] = [
        {"id": call.id, "name": clean_text(call.function.name), "arguments": call.function.arguments}
        for call in given.tool_calls or ()
    ]
    thinks = bool(calls) and sitting.agent.agent_type in OLD_KINDS
    reasoning = "\n".join(filter(None, (content.reasoning, content.text if thinks else "")))
    return sitting.message(
        given,
        Role.assistant,
        "" if thinks else content.text,
        reasoning=reasoning,
        calls=calls or None,
        needs_approval=needs_approval,
    )


def returns(given: FileMessage, content: Content, sitting: Sitting) -> Iterator[Message]:
    """What tools gave back: a message each."""
    several = given.tool_returns or [FileReturn(tool_call_id=given.tool_call_id, func_response=content.text)]
    for part, each in enumerate(several):
        text, went_well = returned(each.func_response if each.func_response is not None else content.text)
        failed = each.status == "error" or went_well is False
        yield sitting.message(
            given,
            Role.tool,
            text,
            part,
            call_id=each.tool_call_id or given.tool_call_id,
            name=given.name,
            status="error" if failed else "ok",
            recalled=given.name in SEARCHES and not failed,
        )


def decisions(given: FileMessage) -> list[Json]:
    """What a person, or a client, answered to calls that waited."""
    if given.approvals:
        return [decision(each) for each in given.approvals]
    return [{"call_id": given.approval_request_id or "", "approve": bool(given.approve), "reason": given.denial_reason or ""}]


def decision(given: FileReturn) -> Json:
    """One answer."""
    call_id = given.tool_call_id or ""
    if given.type == "approval":
        return {"call_id": call_id, "approve": bool(given.approve), "reason": given.reason or ""}
    result = as_text(given.tool_return if given.tool_return is not None else given.func_response)
    return {"call_id": call_id, "result": result, "status": "error" if given.status == "error" else "ok"}
