"""Other agents: messages to their main conversations, with or without waiting for what they answer."""

from pagemind.toolbox import Syscalls, tool
from pagemind.toolbox.inputs import bounded_text

MESSAGE_LIMIT_CHARS = 20_000
WORDS_LIMIT = 50


@tool(effect="idempotent")
async def send_message_to_agent_and_wait_for_reply(system: Syscalls, message: str, other_agent_id: str, call_key: str) -> str:
    """Send a message to another agent and wait for its answer.

    Args:
        message: What you say to it. It does not see your conversation: say all that it needs.
        other_agent_id: The other agent's id.
    """
    bounded_text("message", message, limit_chars=MESSAGE_LIMIT_CHARS)
    return await system.tell_agent(other_agent_id, message, key=call_key, wait=True)


@tool(effect="idempotent")
async def send_message_to_agent_async(system: Syscalls, message: str, other_agent_id: str, call_key: str) -> str:
    """Send a message to another agent without waiting: it answers, if at all, with a message of its own.

    Args:
        message: What you say to it. It does not see your conversation: say all that it needs.
        other_agent_id: The other agent's id.
    """
    bounded_text("message", message, limit_chars=MESSAGE_LIMIT_CHARS)
    await system.tell_agent(other_agent_id, message, key=call_key, wait=False)
    return "Sent."


@tool(effect="idempotent")
async def send_message_to_agents_matching_tags(
    system: Syscalls, message: str, match_all: list[str], match_some: list[str], call_key: str
) -> str:
    """Send a message to all agents with certain tags and wait for their answers.

    Args:
        message: What you say to each of them.
        match_all: Tags that an agent must have, all of them.
        match_some: Tags of which an agent must have at least one; an empty list demands none.
    """
    bounded_text("message", message, limit_chars=MESSAGE_LIMIT_CHARS)
    return await system.tell_agents(match_all[:WORDS_LIMIT], match_some[:WORDS_LIMIT], message, key=call_key)
