"""Residents: what stood in a conversation's window when its last run here ended, so that the next need not read it.

It is only ever used if the store, in the transaction that takes the next input in, finds every version to be the newest.
"""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

from pagemind.records.view import Resident

MOST_CONVERSATIONS = 1024
MOST_CHARS = 32_000_000


class Residents:
    """A bounded number of them; those not used for longest go first."""

    def __init__(self, most: int = MOST_CONVERSATIONS, most_chars: int = MOST_CHARS) -> None:
        self._most = most
        self._most_chars = most_chars
        self._kept: OrderedDict[UUID, tuple[Resident, int]] = OrderedDict()
        self._chars = 0

    def get(self, tenant_id: UUID, conversation_id: UUID) -> Resident | None:
        """What is known of this tenant's conversation, if anything is."""
        kept = self._kept.get(conversation_id)
        if kept is None or kept[0].conversation.tenant_id != tenant_id:
            return None
        self._kept.move_to_end(conversation_id)
        return kept[0]

    def keep(self, resident: Resident, size_chars: int | None = None) -> None:
        """Remember this, of about this size, in the place of what was known; nothing where its versions are not known."""
        self.drop(resident.conversation.id)
        if resident.versions is None:
            return
        size = size_chars or sum(len(message.content) + len(message.reasoning) for message in resident.messages)
        self._kept[resident.conversation.id] = (resident, size)
        self._chars += size
        while len(self._kept) > self._most or self._chars > self._most_chars:
            self.drop(next(iter(self._kept)))

    def drop(self, conversation_id: UUID) -> None:
        """Forget what is known of the conversation."""
        if conversation_id in self._kept:
            self._chars -= self._kept.pop(conversation_id)[1]
