"""What is promised to the caller along the fallback chain, by the algebra of `guarantees.py`.

A link is its service, tried as often as the control signal says: each further try is a standby of the first, after the
longest pause. Links of a provider that stands in the chain already are standbys of what comes before them, all others
are fallbacks. Numbers are rounded against the promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from provider_router.domain.contracts.contract import PPM, Contract, DataClass
from provider_router.domain.decisions.decision import Control, Link, Promise
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.engine.guarantees import (
    CERTAIN,
    NOTHING,
    NOTHING_TO_DO,
    Guarantee,
    fallback,
    series,
    standby,
)
from provider_router.domain.engine.standing import Standing
from provider_router.domain.money.output_bound import most_output_tokens

P95 = Fraction(95, 100)


@dataclass(frozen=True, slots=True)
class Pledge:
    """What a chain promises, whatever the size of a request: the fields of `Promise` without the cost.

    Attributes:
        links: The chain, with how often each link is tried; the cost depends on nothing else.
    """

    availability_ppm: int | None
    first_token_p95_ms: int | None
    clearance: DataClass
    regions: frozenset[str] | None
    retention_days: int | None
    may_train: bool
    on_premises: bool
    deterministic: bool
    links: tuple[tuple[Standing, int], ...]

    def promise(self, request: RouteRequest) -> Promise:
        """The promise to `request`."""
        return Promise(
            self.availability_ppm,
            self.first_token_p95_ms,
            _most_micro_usd(self.links, request),
            self.clearance,
            self.regions,
            self.retention_days,
            self.may_train,
            self.on_premises,
            self.deterministic,
        )


def pledge_of(control: Control, standings: Mapping[str, Standing]) -> Pledge:
    """What the chain of `control`, which has at least one link, promises."""
    whole, providers = NOTHING, set[str]()
    for link in control.chain:
        contract = standings[link.service].contract
        compose = standby if contract.provider in providers else fallback
        whole = compose(whole, tried(guarantee_of(contract, link), link.tries, control.backoff_cap_ms))
        providers.add(contract.provider)
    in_time = whole.first_token_ms is not None and whole.certainty >= P95
    return Pledge(
        availability_ppm=int(whole.availability * PPM) or None,
        first_token_p95_ms=min(whole.first_token_ms or 0, control.total_timeout_ms) if in_time else None,
        clearance=whole.clearance,
        regions=whole.regions,
        retention_days=whole.retention_days,
        may_train=whole.may_train,
        on_premises=whole.on_premises,
        deterministic=whole.deterministic,
        links=tuple((standings[link.service], link.tries) for link in control.chain),
    )


def guarantee_of(contract: Contract, link: Link) -> Guarantee:
    """What a contract guarantees of one try, except what it costs."""
    promised, privacy = contract.guarantees, contract.privacy
    return Guarantee(
        availability=Fraction(promised.availability_ppm, PPM),
        first_token_ms=promised.first_token_p95_ms or None,
        certainty=P95,
        give_up_ms=link.first_token_timeout_ms,
        cost_micro_usd=None,
        clearance=privacy.clearance,
        regions=privacy.regions or None,
        retention_days=privacy.retention_days,
        may_train=privacy.may_train,
        on_premises=privacy.on_premises,
        repeats=promised.deterministic,
        paths=frozenset({(contract.name,)}),
    )


def tried(once: Guarantee, tries: int, pause_ms: int) -> Guarantee:
    """What is guaranteed of up to `tries` tries with pauses of at most `pause_ms` between them."""
    pause = replace(NOTHING_TO_DO, first_token_ms=pause_ms, certainty=CERTAIN, give_up_ms=pause_ms)
    whole = once
    for _ in range(tries - 1):
        whole = standby(whole, series(pause, once))
    return whole


def _most_micro_usd(links: tuple[tuple[Standing, int], ...], request: RouteRequest) -> int | None:
    """The sum over every try of every link; None where a price or the length of an answer is not bounded."""
    total = 0
    for standing, tries in links:
        can = standing.contract.capabilities
        tokens_out = most_output_tokens(can, request.input_tokens, request.max_output_tokens)
        if standing.price_is_unknown or (tokens_out is None and standing.price is not None):
            return None
        total += tries * standing.most_micro_usd(request.input_tokens, tokens_out or 0)
    return total
