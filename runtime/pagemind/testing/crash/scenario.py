"""The scenario of a trial: what is asked, and a reasoner that does the same whenever it is asked the same.

Model calls are at-least-once (contract D3), so the script is a function of the prompt: task ``i`` is a step that edits a
block and archives a passage, a step that calls one outside tool of each kind, then a reply. The window is so small that the
conversation is compacted on its way. The last task is cut short by its limit of steps.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

from pagemind.records import CallRequest, Completion, Piece, Prompt, PromptMessage, TextPiece, TokenCounter
from pagemind.testing.scripted import WordCounter, call

TASKS = 5
# The last task may make one step only: its run ends at its limit, outside of any step.
SHORT = TASKS - 1
WHOLE = range(SHORT)
WINDOW_TOKENS = 2_048
INPUT_WORDS = 120

OUTSIDE = ("send_letter", "book_room")
TOOLS = '''
"""Outside effects that a trial can count: files in the home folder."""

from pathlib import Path

from pagemind.toolbox.registry import tool

HOME = Path(__file__).parent.parent


@tool(effect="at_most_once")
def send_letter(task: int) -> str:
    """Send a letter, which cannot be taken back.

    Args:
        task: The number of the task.
    """
    with (HOME / "letters").open("a") as letters:
        letters.write(f"{task}\\n")
    return f"letter {task} sent"


@tool(effect="idempotent")
def book_room(task: int, call_key: str) -> str:
    """Book a room under a key; the same key books the same room.

    Args:
        task: The number of the task.
    """
    (HOME / "rooms").mkdir(exist_ok=True)
    (HOME / "rooms" / call_key.replace("/", "_")).write_text(str(task))
    return f"room {task} booked"
'''


def task_text(task: int) -> str:
    """The input of a task: long enough that a few of them fill the window."""
    return f"Task {task}. " + "please " * INPUT_WORDS


def letters_sent(home: Path) -> list[int]:
    """The tasks whose letter went out, in order, once for each time it did."""
    path = home / "letters"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def rooms_booked(home: Path) -> list[int]:
    """The tasks that a room is booked for, once for each key."""
    folder = home / "rooms"
    return sorted(int(room.read_text()) for room in folder.iterdir()) if folder.exists() else []


class TaskReasoner:
    """Carries out tasks; where it stands shows in the prompt alone."""

    name = "tasks"
    model = "tasks"
    url = ""
    is_language_model = False
    window_tokens = WINDOW_TOKENS

    def __init__(self) -> None:
        self.tokens: TokenCounter = WordCounter()

    async def settle(self, affinity: str) -> bool:
        """True: there is no server to lose."""
        return True

    def home(self, affinity: str) -> str:
        """A server that outlives the workers, so that what its cache may hold is paged as on a real one."""
        return "tasks"

    async def stream(self, prompt: Prompt) -> AsyncIterator[Piece]:
        """The next step of the newest task, in a few pieces."""
        yield TextPiece("")
        yield Completion("Tasks were done.") if prompt.purpose == "summary" else reply_to(prompt)

    async def close(self) -> None:
        """Nothing to let go of."""


def reply_to(prompt: Prompt) -> Completion:
    """What comes next for the newest task."""
    task, since = newest_task(prompt.messages)
    made = sum(1 for message in since if message.role == "assistant")
    if made == 0:
        return asking(
            call("core_memory_append", call_id=f"edit-{task}", label="human", content=f"fact {task}"),
            call("archival_memory_insert", call_id=f"archive-{task}", content=f"passage {task}"),
        )
    if made == 1:
        return asking(
            call("send_letter", call_id=f"letter-{task}", task=task),
            call("book_room", call_id=f"room-{task}", task=task),
        )
    return Completion(f"Task {task} is done.")


def newest_task(messages: tuple[PromptMessage, ...]) -> tuple[int, tuple[PromptMessage, ...]]:
    """The number of the newest task, and the messages since it was asked for."""
    for index in range(len(messages) - 1, -1, -1):
        found = re.search(r"Task (\d+)\. please", messages[index].content)
        if messages[index].role == "user" and found:
            return int(found[1]), messages[index + 1 :]
    raise ValueError("the prompt holds no task")


def asking(*calls: CallRequest) -> Completion:
    """A reply that is nothing but calls."""
    return Completion("", calls=calls, finish_reason="tool_calls")
