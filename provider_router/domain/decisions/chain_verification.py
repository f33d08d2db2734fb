"""What the verification of a whole chain of records found."""

from __future__ import annotations

from dataclasses import dataclass

from provider_router.domain.decisions.decision_record import ChainLink, DecisionRecord
from provider_router.domain.decisions.verification import Verification


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """The first record that does not hold, as it is stored, and why."""

    record: DecisionRecord
    found: Verification


@dataclass(frozen=True, slots=True)
class ChainVerification:
    """What came of it.

    Attributes:
        verified: Records that hold.
        head: The newest of them; the place where the stored chain begins when there are none.
        pruned: The newest record that was removed; 0 and empty when none was.
        broken: None when every record holds.
        expected_found: Whether the hash that the caller noted earlier is in the chain; None when none was asked for,
            or when a record is broken before it was found.
    """

    verified: int
    head: ChainLink
    pruned: ChainLink
    broken: BrokenRecord | None = None
    expected_found: bool | None = None

    @property
    def valid(self) -> bool:
        """Whether every record holds, and what was expected is there."""
        return self.broken is None and self.expected_found is not False
