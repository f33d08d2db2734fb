"""Which service answered a conversation last."""

from __future__ import annotations

from typing import Protocol


class Affinity(Protocol):
    """Remembers within this process, and only as many conversations as it has room for.

    Nothing depends on it but that a conversation stays with its service, whose provider may have its beginning in a
    cache.
    """

    def last(self, org_id: str, conversation_id: str) -> str:
        """The `provider/model` that answered last; empty when it is not known."""
        ...

    def note(self, org_id: str, conversation_id: str, service: str) -> None:
        """Notes that `service` answers. Notes nothing for an empty conversation."""
        ...
