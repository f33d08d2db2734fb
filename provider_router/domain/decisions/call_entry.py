"""What a call writes and takes before anybody is called for it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.world import World
from provider_router.domain.money.attempt import AttemptOpening
from provider_router.domain.money.rate import Charge
from shared.value import value


@value
class CallEntry:
    """A call with its decision.

    Attributes:
        decision_id: Of the record.
        decision: To write down.
        world: That it was made in.
        requests: What the call takes of its caller's limits on requests, before all else.
        tokens: What it is expected to take of the limits on tokens.
        has_requests: Whether it took its requests already; without room for its tokens they are given back, too.
    """

    decision_id: str
    decision: Decision
    world: World
    requests: Sequence[Charge] = ()
    tokens: Sequence[Charge] = ()
    has_requests: bool = False

    @property
    def requests_to_take(self) -> Sequence[Charge]:
        """Those of `requests` that were not taken yet."""
        return () if self.has_requests else self.requests


@value
class AttemptEntry:
    """An attempt that is about to be made: its row, and what it takes of its provider's limits."""

    opening: AttemptOpening
    charges: Sequence[Charge] = ()


class Limited(StrEnum):
    """Which limits have no room."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    PROVIDER = "provider"


@value
class NoRoom:
    """Limits that have no room for an entry, and the seconds after which it makes sense to try again."""

    limited: Limited
    wait_s: float
