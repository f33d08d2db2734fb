"""How one service of a shortlist stands in one state of the system."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from provider_router.domain.contracts.contract import Contract, Price
from provider_router.domain.decisions.decision import Rejection
from provider_router.domain.decisions.route_request import Estimate
from provider_router.domain.decisions.service_state import ServiceState
from provider_router.domain.engine.beliefs import CONFIDENCE_STEP_PPM, Belief, belief_of
from provider_router.domain.engine.security import unconfigured
from provider_router.domain.engine.shortlist import Listed
from provider_router.domain.money.pricing import upper_bound_micro_usd

UNKNOWN_AS_ZERO = 1
"""The formula that recorded an unknown price as a cost of 0, and let budgets have it."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """One service of the shortlist.

    Attributes:
        contract: Of it.
        price: In force on the day; None without one.
        rejection: Why it is no candidate, whatever the quantities; None when it may be one.
        belief: What is expected of it.
        preference_ppm: What the preferences add up to.
        price_is_unknown: Whether nobody knows what it costs.
        formula: To decide by.
    """

    contract: Contract
    price: Price | None
    rejection: Rejection | None
    belief: Belief
    preference_ppm: int
    price_is_unknown: bool
    formula: int

    def most_micro_usd(self, input_tokens: int, output_tokens: int) -> int:
        """What a call with at most so many tokens costs at most; 0 without a price."""
        return upper_bound_micro_usd(self.price, input_tokens, output_tokens)


def standing_of(listed: Listed, state: ServiceState, estimate: Estimate, day: date, formula: int) -> Standing:
    """How a service stands, for a task as estimated, on `day` (UTC), by `formula`."""
    tenths = estimate.confidence_ppm // CONFIDENCE_STEP_PPM
    # The first of the steps rules, security and traits that it does not pass.
    missing = None if state.configured else unconfigured(listed.contract.name, refused=state.keys_refused)
    price = listed.contract.price_on(day)
    return Standing(
        contract=listed.contract,
        price=price,
        rejection=listed.ruled_out or missing or listed.withheld or listed.unsuited,
        belief=belief_of(listed.contract, state, estimate.task_class, tenths),
        preference_ppm=listed.preference_ppm,
        price_is_unknown=price is None and listed.contract.price_is_unknown_on(day),
        formula=formula,
    )
