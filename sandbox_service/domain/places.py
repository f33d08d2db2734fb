"""Places that organisations share: who may have one, who waits, and whose turn it is."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from enum import Enum

from sandbox_service.domain.errors import sandbox_busy


@dataclass(frozen=True, slots=True)
class PlaceRules:
    """How many may hold and wait.

    Attributes:
        what: what a place is for, in the plural, for example `programs`.
        places: most held at a time, in all, at least 1.
        places_per_organisation: most that one organisation holds, at least 1.
        waiting: most that wait, in all.
        waiting_per_organisation: most of one organisation that wait.
    """

    what: str
    places: int
    places_per_organisation: int
    waiting: int = 0
    waiting_per_organisation: int = 0


class Turn(Enum):
    """Where a ticket stands."""

    WAITS = "waits"
    HOLDS = "holds"
    OVER = "over"


@dataclass(eq=False, slots=True)
class Ticket:
    """One wish for a place."""

    org_id: str
    turn: Turn = Turn.WAITS


class FairPlaces:
    """Gives organisations their places in turn, and each one's tickets in the order in which they came.

    The last free place is for an organisation that holds none: however much one of them asks for, the next one that
    comes finds a place at once. Where there is a single place, there is none to keep.
    """

    def __init__(self, rules: PlaceRules) -> None:
        self._rules = rules
        self._held: Counter[str] = Counter()
        self._kept = 1 if rules.places > 1 else 0
        self._queues: OrderedDict[str, deque[Ticket]] = OrderedDict()

    def enter(self, org_id: str) -> Ticket:
        """Return a ticket of `org_id`, which holds a place or waits for one.

        Raises:
            QuotaExceeded: SANDBOX_BUSY, when there is no place and as many wait as may.
        """
        ticket = Ticket(org_id)
        queue = self._queues.setdefault(org_id, deque())
        queue.append(ticket)
        # Nobody else gets a place here: who could have one has not waited.
        self._hand_out()
        if ticket.turn is Turn.WAITS:
            is_full = sum(map(len, self._queues.values())) > self._rules.waiting
            if is_full or len(queue) > self._rules.waiting_per_organisation:
                self.leave(ticket)
                own = not is_full or self._held[org_id] >= self._rules.places_per_organisation
                raise sandbox_busy(self._rules.what, own=own)
        return ticket

    def leave(self, ticket: Ticket) -> list[Ticket]:
        """Take back a ticket, whether it waits or holds, and return those that have a place now. Idempotent."""
        was, ticket.turn = ticket.turn, Turn.OVER
        if was is Turn.WAITS:
            self._queues[ticket.org_id].remove(ticket)
            self._forget_if_empty(ticket.org_id)
        elif was is Turn.HOLDS:
            self._held[ticket.org_id] -= 1
            self._held += Counter()  # organisations that hold none are forgotten
            return self._hand_out()
        return []

    def _hand_out(self) -> list[Ticket]:
        served: list[Ticket] = []
        while (org_id := next(filter(self._may_have_one, self._queues), None)) is not None:
            ticket = self._queues[org_id].popleft()
            ticket.turn = Turn.HOLDS
            self._held[org_id] += 1
            self._queues.move_to_end(org_id)
            self._forget_if_empty(org_id)
            served.append(ticket)
        return served

    def _may_have_one(self, org_id: str) -> bool:
        held = self._held[org_id]
        free = self._rules.places - self._held.total()
        return held < self._rules.places_per_organisation and free > (self._kept if held else 0)

    def _forget_if_empty(self, org_id: str) -> None:
        if not self._queues[org_id]:
            del self._queues[org_id]
