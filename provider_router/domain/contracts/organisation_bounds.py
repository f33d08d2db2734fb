"""What an organisation's own contract may say of a provider that is the operator's.

It is served with the operator's keys and paid with the operator's money. So it may narrow what the operator's contracts
of that provider say, and widen nothing: no clearance, no region, no certificate that they do not have, and no price
below theirs, by which a budget would last longer. Whoever wants more has the operator put the model into the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from provider_router.domain.contracts.configuration import Configuration
from provider_router.domain.contracts.contract import Contract, DataClass, Price, Privacy, Rates
from provider_router.domain.contracts.contract_checks import Violation
from provider_router.domain.contracts.field_names import Path
from provider_router.domain.contracts.provider import ProviderSpec, ProviderType

_UNSAID_HERE = Privacy(DataClass.RESTRICTED, retention_days=0, trains_on_data=False, on_premises=True, encrypted=True)
"""What the operator says of the local provider without a contract: what it says of a model by not saying more."""
_KINDS = ("input", "output", "cached_input", "cache_write")


def excesses_of(contract: Contract, configuration: Configuration, today: date) -> tuple[Violation, ...]:
    """Where `contract` goes beyond the operator's contracts of its provider, from `today` on; empty for nowhere.

    Args:
        contract: Of an organisation; its provider is configured.
        configuration: The operator's files.
        today: UTC.
    """
    beside = [each for each in configuration.contracts.values() if each.provider == contract.provider]
    said = [each.privacy for each in beside] or [_unsaid(configuration.providers[contract.provider])]
    alike = [each for each in beside if each.capabilities.operations & contract.capabilities.operations]
    return (*_privacy(contract.privacy, said), *_prices(contract, alike, today), *_unpriced(contract, alike))


def _unsaid(provider: ProviderSpec) -> Privacy:
    if provider.type is ProviderType.LOCAL:
        return _UNSAID_HERE
    return Privacy(DataClass.INTERNAL, encrypted=provider.is_encrypted)


def _privacy(own: Privacy, said: Sequence[Privacy]) -> Iterator[Violation]:
    clearance = min(each.clearance for each in said)
    if own.clearance > clearance:
        yield _beyond("clearance", f"must be at most {clearance.name.lower()}")
    yield from _whereabouts(own, said)
    if own.retention_days is not None:
        days = [each.retention_days for each in said]
        longest = None if None in days else max(day for day in days if day is not None)
        if longest is None or own.retention_days < longest:
            yield _beyond("retention_days", "must not be given" if longest is None else f"must be at least {longest}")
    if not own.may_train and any(each.may_train for each in said):
        yield _beyond("trains_on_data", "must be true, or not be given")
    if own.encrypted and not all(each.encrypted for each in said):
        yield _beyond("encrypted", "must be false")
    extra = {word for word in own.certifications if any(word not in each.certifications for each in said)}
    if extra:
        yield _beyond("certifications", f"must not hold {', '.join(sorted(extra))}")


def _whereabouts(own: Privacy, said: Sequence[Privacy]) -> Iterator[Violation]:
    if own.on_premises and not all(each.on_premises for each in said):
        yield _beyond("on_premises", "must be false")
    known = all(each.regions for each in said)
    missing = frozenset[str]().union(*(each.regions for each in said)) - own.regions
    if own.regions and (missing or not known):
        wanted = f"must hold {', '.join(sorted(missing))} too, or nothing" if known else "must hold nothing"
        yield _beyond("regions", wanted)


def _beyond(field: str, wanted: str) -> Violation:
    return Violation(("privacy", field), f"{wanted}, as the operator's contracts of the provider say")


def _prices(own: Contract, others: Sequence[Contract], today: date) -> Iterator[Violation]:
    """Where a price is below the dearest of `others`, on `today` and on each later day on which a price changes."""
    days = {today} | {price.effective_date for each in (own, *others) for price in each.prices}
    for day in sorted(day for day in days if day >= today):
        floor = [price for each in others if (price := each.price_on(day)) is not None]
        price = own.price_on(day)
        if price and not floor and any(each.price_is_unknown_on(day) for each in others):
            yield Violation(
                ("prices",), f"must hold no price on {day}: the operator's contracts of the provider have none"
            )
            return
        if floor and price is None:
            yield Violation(("prices",), f"must hold on {day}: the operator's contracts of the provider have prices")
            return
        below = _below(price, floor) if price and floor else ()
        if below:
            wanted = "must not be below the dearest of the operator's contracts of the provider"
            yield Violation(("prices", own.prices.index(price) if price else 0, *below), f"{wanted} on {day}")
            return


def _unpriced(own: Contract, others: Sequence[Contract]) -> Iterator[Violation]:
    """Where a price is for what none of `others` does: what embeddings cost says nothing of a chat."""
    unknown = own.capabilities.operations.difference(*(each.capabilities.operations for each in others))
    if own.prices and unknown:
        what = ", ".join(sorted(unknown))
        yield Violation(("prices",), f"must not be given: no contract of the operator's of the provider is for {what}")


def _below(price: Price, floor: Sequence[Price]) -> Path:
    """The field of `price` that is below one of `floor`; empty for none."""
    if price.per_request < max(each.per_request for each in floor):
        return ("per_request",)
    least = [max(kind) for kind in zip(*(_each_kind(each.rates) for each in floor), strict=True)]
    for field, rates in (("rates", price.rates), ("long_context_rates", price.long_context_rates)):
        charged = zip(_KINDS, _each_kind(rates), least, strict=True) if rates else ()
        kind = next((kind for kind, own, other in charged if own < other), None)
        if kind:
            return (field, kind)
    return ()


def _each_kind(rates: Rates) -> tuple[int, int, int, int]:
    """What `_KINDS` names, each as it is charged."""
    cached, written = (rates.input if rate is None else rate for rate in (rates.cached_input, rates.cache_write))
    return rates.input, rates.output, cached, written
