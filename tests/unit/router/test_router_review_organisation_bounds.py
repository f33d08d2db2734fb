"""An organisation's own contract narrows what the operator's contracts say, and widens nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from router_fakes import contract_of, price_of, provider_spec

from provider_router.domain.contracts.configuration import Configuration
from provider_router.domain.contracts.contract import Contract, DataClass, Price, Privacy, Rates
from provider_router.domain.contracts.organisation_bounds import excesses_of
from provider_router.domain.contracts.provider import ProviderType
from provider_router.domain.contracts.registry_change import registered
from provider_router.domain.contracts.registry_view import FilesState, snapshot_of
from shared.errors import InvalidInput

TODAY = date(2026, 11, 20)
US = Privacy(
    DataClass.INTERNAL,
    frozenset({"us"}),
    30,
    trains_on_data=False,
    encrypted=True,
    certifications=frozenset({"soc2", "iso27001"}),
)
FILED = contract_of("one/m", privacy=US, prices=price_of(1_000, 5_000))
DEARER = contract_of("one/l", privacy=replace(US, certifications=frozenset({"soc2"})), prices=price_of(2_000, 4_000))
OWN = contract_of("one/own", org_id="org-a", privacy=Privacy(DataClass.INTERNAL), prices=price_of(2_000, 5_000))


def configuration(*contracts: Contract, kind: ProviderType = ProviderType.OPENAI_COMPATIBLE) -> Configuration:
    return Configuration({"one": provider_spec("one", type=kind)}, {each.name: each for each in contracts})


def excesses(own: Contract, *contracts: Contract, **changes: object) -> list[str]:
    found = excesses_of(own, configuration(*contracts, **changes), TODAY)
    return [".".join(map(str, each.path)) for each in found]


def test_what_says_no_more_than_the_operator_is_fine() -> None:
    assert excesses(OWN, FILED, DEARER) == []
    same = replace(OWN, privacy=replace(US, certifications=frozenset({"soc2"})))
    assert excesses(same, FILED, DEARER) == []
    wary = Privacy(DataClass.PUBLIC, frozenset({"us", "eu"}), 60, trains_on_data=True, encrypted=False)
    assert excesses(replace(OWN, privacy=wary), FILED, DEARER) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("clearance", DataClass.RESTRICTED),
        ("regions", frozenset({"eu"})),
        ("retention_days", 0),
        ("on_premises", True),
        ("certifications", frozenset({"iso27001"})),
    ],
)
def test_privacy_is_not_widened(field: str, value: object) -> None:
    assert excesses(replace(OWN, privacy=replace(OWN.privacy, **{field: value})), FILED, DEARER) == [f"privacy.{field}"]


def test_whoever_trains_or_sends_in_the_clear_does_so_for_everybody() -> None:
    good = replace(OWN, privacy=replace(OWN.privacy, trains_on_data=False, encrypted=True))
    for said in (True, None):
        open_ = replace(FILED, privacy=replace(US, trains_on_data=said, encrypted=False))
        assert excesses(good, open_) == ["privacy.trains_on_data", "privacy.encrypted"]
        assert excesses(OWN, open_) == []


def test_what_the_operator_does_not_know_nobody_knows() -> None:
    unknown = replace(FILED, privacy=Privacy(DataClass.INTERNAL))
    sure = replace(OWN, privacy=replace(US, certifications=frozenset()))
    assert excesses(sure, unknown) == [
        "privacy.regions",
        "privacy.retention_days",
        "privacy.trains_on_data",
        "privacy.encrypted",
    ]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (ProviderType.LOCAL, []),
        (ProviderType.OPENAI_COMPATIBLE, ["privacy.clearance", "privacy.on_premises", "privacy.retention_days"]),
    ],
)
def test_a_provider_without_contracts_is_what_its_type_is(kind: ProviderType, found: list[str]) -> None:
    here = Privacy(DataClass.RESTRICTED, retention_days=0, on_premises=True)
    assert excesses(replace(OWN, privacy=here, prices=()), kind=kind) == found


def priced(day: date, input_: int, output: int, **changes: object) -> Price:
    return Price(day, Rates(input_, output), **changes)


@pytest.mark.parametrize(
    ("prices", "found"),
    [
        ((), ["prices"]),
        ((priced(date(2026, 11, 21), 9_000, 9_000),), ["prices"]),
        (price_of(0, 0), ["prices.0.rates.input"]),
        (price_of(1_999, 5_000), ["prices.0.rates.input"]),
        (price_of(2_000, 4_999), ["prices.0.rates.output"]),
        ((priced(date(2026, 1, 1), 2_000, 5_000), priced(date(2027, 1, 1), 1, 1)), ["prices.1.rates.input"]),
        ((priced(date(2020, 1, 1), 1, 1), priced(date(2026, 11, 20), 2_000, 5_000)), []),
        ((Price(date(2020, 1, 1), Rates(2_000, 5_000, cached_input=1)),), ["prices.0.rates.cached_input"]),
        ((Price(date(2020, 1, 1), Rates(2_000, 5_000), 1, Rates(1, 1)),), ["prices.0.long_context_rates.input"]),
    ],
)
def test_no_budget_lasts_longer_by_a_price_of_one_s_own(prices: tuple[Price, ...], found: list[str]) -> None:
    assert excesses(replace(OWN, prices=prices), FILED, DEARER) == found


def test_fees_and_coming_prices_of_the_operator_count() -> None:
    dearer_soon = priced(date(2026, 12, 1), 3_000, 5_000, per_request=7)
    filed = replace(FILED, prices=(*FILED.prices, dearer_soon))
    assert excesses(OWN, filed) == ["prices.0.per_request"]
    assert excesses(replace(OWN, prices=(*price_of(2_000, 5_000), dearer_soon)), filed) == []


def test_no_price_of_one_s_own_where_the_operator_does_not_know_what_models_cost() -> None:
    unpriced = replace(FILED, prices=())
    assert excesses(OWN, unpriced) == ["prices"]
    assert excesses(replace(OWN, prices=()), unpriced) == []
    at_home = replace(unpriced, privacy=replace(US, on_premises=True))
    assert excesses(OWN, at_home) == []


def test_models_of_another_kind_set_no_price() -> None:
    embeds = contract_of("one/e", chat=False, embeddings=True, prices=price_of(10))
    own = contract_of("one/own-e", chat=False, embeddings=True, privacy=Privacy(), prices=price_of(10))
    assert excesses(own, FILED, embeds) == []
    assert excesses(own, FILED) == ["prices"]


@pytest.mark.parametrize("embeddings", [False, True])
def test_the_price_of_embeddings_is_none_of_a_chat(embeddings: bool) -> None:
    embeds = contract_of("one/e", chat=False, embeddings=True, privacy=US, prices=price_of(20_000))
    cheap = contract_of("one/own", embeddings=embeddings, privacy=OWN.privacy, prices=price_of(20_000))
    assert excesses(cheap, embeds) == ["prices"]
    assert excesses(cheap, embeds, FILED) == ["prices.0.rates.output"]


def test_who_goes_beyond_is_refused_and_told_where() -> None:
    asked = replace(OWN, privacy=replace(US, clearance=DataClass.RESTRICTED), prices=())
    with pytest.raises(InvalidInput) as refusal:
        registered(asked, configuration(FILED), {}, TODAY)
    assert [each.field for each in refusal.value.violations] == ["contract.privacy.clearance", "contract.prices"]


def test_a_stored_contract_that_goes_beyond_is_suspended() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    seen = snapshot_of(FilesState(configuration(FILED)), {OWN.name: OWN}, 1, now)
    assert OWN.name in seen.services
    stricter = configuration(replace(FILED, privacy=replace(US, clearance=DataClass.PUBLIC)))
    seen = snapshot_of(FilesState(stricter), {OWN.name: OWN}, 2, now)
    assert list(seen.services) == ["one/m"]
    assert "privacy.clearance" in seen.suspended[OWN.name].reason
    dearer = configuration(replace(FILED, prices=price_of(9_000, 9_000)))
    seen = snapshot_of(FilesState(dearer), {OWN.name: OWN}, 3, now)
    assert seen.suspended[OWN.name].reason.startswith("Its prices[0].input must not be below")
