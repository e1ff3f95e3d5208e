"""Speaking through a tool: for agents whose words outside of it are their own thinking."""

from pagemind.toolbox import tool
from pagemind.toolbox.inputs import bounded_text

MESSAGE_LIMIT_CHARS = 50_000


@tool(effect="transactional")
async def send_message(message: str) -> str:
    """Send a message to the person you talk with. It is all that they see of you.

    Args:
        message: What you say to them.
    """
    bounded_text("message", message, limit_chars=MESSAGE_LIMIT_CHARS)
    return "Sent."
