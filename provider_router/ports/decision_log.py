"""The hash-chained log of decisions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.decision_record import ChainLink, DecisionRecord
from provider_router.domain.decisions.stored_world import Documents
from provider_router.domain.decisions.world import World


class DecisionLog(Protocol):
    """Durable; one chain per organisation, shared by every replica.

    It hands out what is stored, also where somebody changed it: whether a record holds is for `VerifyDecision` to say.
    """

    async def append(self, decision_id: str, decision: Decision, world: World) -> None:
        """Writes a record and whatever of `world` is needed to replay it.

        Returns when it would survive a killed process. Idempotent by `decision_id`: the first decision of an id counts.

        Raises:
            UpstreamDown: The store cannot be written.
        """
        ...

    async def get(self, org_id: str, decision_id: str) -> DecisionRecord | None:
        """The record, exactly as it is stored; None when `org_id` has none of that id."""
        ...

    async def before(self, record: DecisionRecord) -> DecisionRecord | None:
        """The record with the sequence before that of `record`; None when there is none, or none any more."""
        ...

    async def after(self, record: DecisionRecord) -> DecisionRecord | None:
        """The record with the sequence after that of `record`; None for the newest."""
        ...

    async def anchor(self, org_id: str) -> ChainLink:
        """Where the stored chain begins: the newest record that was removed, or the start of the chain."""
        ...

    async def listed(
        self, org_id: str, *, before_sequence: int = 0, since: datetime | None = None, limit: int = 50
    ) -> Sequence[DecisionRecord]:
        """Records of `org_id`, newest first.

        Args:
            org_id: The organisation.
            before_sequence: Only those before this one; 0 for all.
            since: Only those after the newest that is older than this; None for all.
            limit: Most records to return.
        """
        ...

    async def following(self, org_id: str, *, after_sequence: int, limit: int) -> Sequence[DecisionRecord]:
        """At most `limit` records of `org_id` with a greater sequence than `after_sequence`, oldest first."""
        ...

    async def world_of(self, decision: Decision) -> Documents:
        """The stored documents that `decision` was made by. One that is missing, or damaged, is not among them."""
        ...

    async def prune(self, *, older_than: datetime, keep: int, limit: int) -> int:
        """Removes the oldest records of one organisation, and the documents that nothing needs any more.

        What stays is a chain that begins at the anchor.

        Args:
            older_than: Records made before this are removed.
            keep: Of more than the newest so many, the others are removed, too.
            limit: Most records to remove at once.

        Returns:
            How many records were removed, at most `limit`; 0 when no organisation has anything to remove.

        Raises:
            UpstreamDown: The store cannot be written.
        """
        ...
