"""Opens and settles attempts, of chats and of embeddings alike.

What an attempt holds (a place at a deployment, room in rate limits, a reservation in budgets) it takes before its
provider hears of it, and gives back exactly once, however it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Operation, Price
from provider_router.domain.contracts.provider import Target
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.call_entry import AttemptEntry, NoRoom
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.errors import Reason, failure
from provider_router.domain.money.attempt import AttemptClosing, AttemptOpening, Outcome, cost_is_unknown
from provider_router.domain.money.pricing import cost_micro_usd, upper_bound_micro_usd
from provider_router.domain.money.provider_charges import provider_charges, unused
from provider_router.domain.money.rate import Charge
from provider_router.domain.traffic.lease import CallReport, Lease, Unavailable
from provider_router.ports.attempt_observer import AttemptObserver, AttemptRecord
from provider_router.ports.call_opener import CallOpener
from provider_router.ports.deployments import Deployments
from provider_router.ports.ledger import Ledger
from provider_router.ports.rate_limiter import RateLimiter
from provider_router.use_cases.entrance import Entrance
from shared.clock import Clock
from shared.errors import NexusError, UpstreamDown
from shared.ids import IdSource
from shared.value import value

_UNAVAILABLE = {
    Reason.PROVIDER_NOT_CONFIGURED: "needs a key that is not there",
    Reason.PROVIDER_REFUSED_KEY: "refused every key that it has",
    Reason.CIRCUIT_OPEN: "failed too often and is given no calls for a while",
    Reason.PROVIDER_RATE_LIMITED: "is limiting the rate; try again later",
    Reason.DEPLOYMENTS_BUSY: "has as many calls as it takes at once",
}


@value
class Ports:
    """What attempts are opened and settled with."""

    deployments: Deployments
    limiter: RateLimiter
    opener: CallOpener
    ledger: Ledger
    observer: AttemptObserver
    clock: Clock
    new_id: IdSource


@value
class AttemptOrder:
    """An attempt to open. The fields mean what they mean in `AttemptOpening`.

    Attributes:
        input_tokens: Of the prompt, at most.
        max_output_tokens: Of the answer, at most.
        expected_tokens: Of both, for rate limits.
        tried: Where this call was sent before; those places come last.
        whole: Whether the provider answers in one piece, so that the time to the first one says nothing.
    """

    caller: Caller
    service: Service
    operation: Operation
    input_tokens: int
    max_output_tokens: int
    expected_tokens: int
    decision_id: str = ""
    conversation_id: str = ""
    number: int = 1
    streamed: bool = False
    hedge: bool = False
    tried: Sequence[Target] = ()
    whole: bool = False


@value
class Ending:
    """How an attempt ended.

    Attributes:
        outcome: Not OPEN.
        error: Why it failed; None unless it did.
        usage: Tokens to charge; None for an attempt that used none.
        estimated: Whether the router counted them.
        finish_reason: Why the model stopped; None when it did not come to that.
        billed_micro_usd: What the provider itself says that it charges; None where its price says so.
        hasty: Whether it failed for want of time that its caller did not give it, which is no fault of the provider's.
    """

    outcome: Outcome
    error: NexusError | None = None
    usage: TokenUsage | None = None
    estimated: bool = False
    finish_reason: FinishReason | None = None
    billed_micro_usd: int | None = None
    hasty: bool = False


class OpenAttempt:
    """An attempt from its opening to its end. Settling it twice is settling it once; the first ending counts.

    Attributes:
        opening: Its row in the ledger.
        service: That is called.
        lease: Where.
        cost_micro_usd: What it cost; 0 before its end.
        cost_unknown: Whether nobody knows what it cost.
    """

    def __init__(self, desk: AttemptDesk, service: Service, opening: AttemptOpening, hold: _Hold) -> None:
        self.opening = opening
        self.service = service
        self.lease = hold.lease
        self.cost_micro_usd = 0
        self.cost_unknown = False
        self._desk = desk
        self._hold = hold
        self._began_s = hold.began_s
        self._first_token_ms: int | None = None
        self._settled = False

    @property
    def has_begun_to_answer(self) -> bool:
        """Whether a piece of the answer came."""
        return self._first_token_ms is not None

    @property
    def is_settled(self) -> bool:
        """Whether it ended."""
        return self._settled

    def seconds(self) -> float:
        """Since its opening."""
        return self._desk.ports.clock.monotonic() - self._began_s

    def note_first_token(self) -> None:
        """Notes that the first piece came. Idempotent."""
        if self._first_token_ms is None:
            self._first_token_ms = round(self.seconds() * 1000)

    async def settle(self, ending: Ending) -> None:
        """Gives the place back, tells the observer, then closes the row and corrects the rate limits."""
        if self._settled:
            return
        self._settled = True
        usage = ending.usage or TokenUsage()
        if ending.usage is not None:
            self.cost_micro_usd = cost_micro_usd(self._hold.price, usage)
        if ending.billed_micro_usd is not None:
            self.cost_micro_usd = ending.billed_micro_usd
        closing = AttemptClosing(
            attempt_id=self.opening.attempt_id,
            outcome=ending.outcome,
            reason=ending.error.reason if ending.error else "",
            usage=usage,
            estimated=ending.estimated,
            cost_micro_usd=self.cost_micro_usd,
            first_token_ms=None if self._hold.whole else self._first_token_ms,
            duration_ms=round(self.seconds() * 1000),
            time=self._desk.ports.clock.now(),
        )
        self.cost_unknown = cost_is_unknown(self.opening, closing)
        rest = unused(self._hold.charges, self._hold.charged_tokens, usage.input_tokens + usage.output_tokens)
        try:
            self._desk.ports.deployments.release(self.lease, _report(ending, closing))
            self._desk.ports.observer.ended(AttemptRecord(self.service, self.opening, closing, ending.finish_reason))
        finally:
            # Whatever fails in watching an attempt, its money is settled.
            await self._desk.close(closing, rest)


@value
class _Hold:
    """What an open attempt holds."""

    lease: Lease
    price: Price | None
    charges: tuple[Charge, ...]
    charged_tokens: int
    began_s: float
    whole: bool


class AttemptDesk:
    """Opens attempts with its `ports`."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    async def open(self, order: AttemptOrder, entrance: Entrance | None = None) -> OpenAttempt:
        """Takes a place, room in the rate limits and a reservation in the budgets; all or none.

        Args:
            order: What to open.
            entrance: Of the call, where it makes its entry with its first attempt.

        Raises:
            NexusError: PROVIDER_NOT_CONFIGURED, PROVIDER_REFUSED_KEY, CIRCUIT_OPEN, PROVIDER_RATE_LIMITED or
                DEPLOYMENTS_BUSY when the service cannot be called now.
            QuotaExceeded: BUDGET_EXHAUSTED; RATE_LIMITED, of the caller.
            UpstreamDown: The ledger cannot be written.
        """
        service, now = order.service, self.ports.clock.now()
        lease = self.ports.deployments.acquire(service, order.tried)
        if isinstance(lease, Unavailable):
            raise _unavailable(service, lease)
        price = service.contract.price_on(now.date())
        opening = self._opening(order, lease, price, now)
        charges = provider_charges(service, lease.target.deployment, order.expected_tokens)
        hold = _Hold(lease, price, charges, order.expected_tokens, self.ports.clock.monotonic(), order.whole)
        no_room: NoRoom | None = None
        try:
            way_in = entrance or Entrance(self.ports.opener)
            no_room = await way_in.open(AttemptEntry(opening, charges))
        except NexusError:
            self.ports.deployments.release(lease, CallReport(finished=False))
            raise
        except BaseException:
            # Cancelled while the row was on its way: nobody knows whether it is there, and if it is, only a closing
            # gives back what it reserves.
            self.ports.deployments.release(lease, CallReport(finished=False))
            await self.close(self._never_called(opening), charges)
            raise
        if no_room is not None:
            self.ports.deployments.release(lease, CallReport(finished=False))
            raise _unavailable(service, Unavailable(Reason.PROVIDER_RATE_LIMITED, no_room.wait_s))
        return OpenAttempt(self, service, opening, hold)

    async def close(self, closing: AttemptClosing, rest: Sequence[Charge]) -> None:
        """Closes a row and gives back what was not used.

        A row that cannot be written now is no fault of the answer's: the ledger keeps the closing and tries it again.
        """
        # First: so the store writes both at once.
        if rest:
            await self._give_back(rest)
        try:
            await self.ports.ledger.close(closing)
        except UpstreamDown:
            return

    async def _give_back(self, charges: Sequence[Charge]) -> None:
        if charges:
            # What cannot be given back comes back by itself within a minute; no answer is worse for it.
            with suppress(UpstreamDown):
                await self.ports.limiter.give_back(charges)

    def _never_called(self, opening: AttemptOpening) -> AttemptClosing:
        return AttemptClosing(
            attempt_id=opening.attempt_id,
            outcome=Outcome.ABORTED,
            reason="",
            usage=TokenUsage(),
            estimated=False,
            cost_micro_usd=0,
            first_token_ms=None,
            duration_ms=0,
            time=self.ports.clock.now(),
        )

    def _opening(self, order: AttemptOrder, lease: Lease, price: Price | None, now: datetime) -> AttemptOpening:
        service = order.service
        return AttemptOpening(
            attempt_id=self.ports.new_id(),
            decision_id=order.decision_id,
            caller=order.caller,
            conversation_id=order.conversation_id,
            operation=order.operation,
            service=service.name,
            deployment=lease.target.deployment.name,
            number=order.number,
            streamed=order.streamed,
            hedge=order.hedge,
            price_version=service.contract.price_version(now.date()),
            reserved=TokenUsage(order.input_tokens, order.max_output_tokens),
            reserved_micro_usd=upper_bound_micro_usd(price, order.input_tokens, order.max_output_tokens),
            time=now,
        )


def _unavailable(service: Service, unavailable: Unavailable) -> NexusError:
    provider, said = service.provider, _UNAVAILABLE.get(unavailable.reason, "cannot be called now")
    if unavailable.reason is Reason.PROVIDER_NOT_CONFIGURED:
        said = f"{said}: set {provider.key_source}"
    if unavailable.reason is Reason.PROVIDER_REFUSED_KEY:
        said = f"{said}: check {provider.key_source}"
    cause = {"cause": unavailable.cause} if unavailable.cause else {}
    return failure(
        unavailable.reason,
        f"The provider '{provider.name}' {said}{f' ({unavailable.cause})' if unavailable.cause else ''}.",
        metadata={"provider": provider.name, "model": service.name} | cause,
        retry_after_s=unavailable.retry_after_s,
    )


def _report(ending: Ending, closing: AttemptClosing) -> CallReport:
    reason = None
    if ending.error is not None:
        known = ending.error.reason in Reason.__members__
        reason = Reason(ending.error.reason) if known else Reason.PROVIDER_ERROR
    return CallReport(
        reason=reason,
        finished=ending.outcome in (Outcome.SUCCEEDED, Outcome.FAILED) and not ending.hasty,
        retry_after_s=ending.error.retry_after_s if ending.error else None,
        first_token_ms=closing.first_token_ms,
        output_tokens=closing.usage.output_tokens,
        duration_ms=closing.duration_ms,
    )
