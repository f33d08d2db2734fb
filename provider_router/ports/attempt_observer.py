"""Who is told of every attempt: metrics and traces."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.contracts.service import Service
from provider_router.domain.money.attempt import AttemptClosing, AttemptOpening
from shared.value import value


@value
class AttemptRecord:
    """One attempt, from its opening to its end. It holds no text and no secret.

    Attributes:
        service: That was called.
        opening: As in the ledger.
        closing: As in the ledger.
        finish_reason: Why the model stopped; None when it did not come to that.
    """

    service: Service
    opening: AttemptOpening
    closing: AttemptClosing
    finish_reason: FinishReason | None = None


class AttemptObserver(Protocol):
    """Counts and draws; never blocks, never raises. Names in its labels are those of configured services."""

    def ended(self, record: AttemptRecord) -> None:
        """An attempt ended, well or badly."""
        ...

    def passed_over(self, service: Service, reason: str) -> None:
        """A service of the chain could not be called for `reason`, and the next one was looked at."""
        ...

    def fell_back(self, service: Service, reason: str) -> None:
        """A call left `service` for the next one, since it failed or could not be called for `reason`."""
        ...

    def decided(self, reason: str) -> None:
        """A decision was made: `reason` is `OK`, or one of `domain.errors.Reason` when no service was chosen."""
        ...

    def began(self, overhead_s: float) -> None:
        """A first attempt was handed to its provider, `overhead_s` after the call came in."""
        ...
