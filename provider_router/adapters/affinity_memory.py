"""Remembers in memory which service answered a conversation last."""

from __future__ import annotations

from collections import OrderedDict


class MemoryAffinity:
    """Implements `Affinity`: the conversations used last stay, others are forgotten.

    Args:
        most: Conversations to remember, at least 1.
    """

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._services: OrderedDict[tuple[str, str], str] = OrderedDict()

    def last(self, org_id: str, conversation_id: str) -> str:
        """The `provider/model` that answered last; empty when it is not known."""
        return self._services.get((org_id, conversation_id), "")

    def note(self, org_id: str, conversation_id: str, service: str) -> None:
        """Notes that `service` answers."""
        if not conversation_id:
            return
        key = (org_id, conversation_id)
        self._services[key] = service
        self._services.move_to_end(key)
        if len(self._services) > self._most:
            self._services.popitem(last=False)
