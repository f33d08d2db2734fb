"""The contracts that ship say what was published, and nothing that was not."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlsplit

import pytest
from router_shipped import CONTRACTS, FAMILIES, shipped

from provider_router.adapters.token_counter_estimated import FAMILIES as TOKENIZERS
from provider_router.adapters.token_counter_estimated import TOKENIZER_TRAIT
from provider_router.domain.contracts.contract import PPM, Contract, DataClass, Guarantees, Operation, Price
from provider_router.domain.tasks.task import TASK_CLASSES

WRITTEN = date(2026, 11, 20)
SOLD = ("anthropic", "gemini", "openai", "perplexity")
OWN = ("local", "ollama", "vllm")
ALL = [contract for family in FAMILIES for contract in shipped(family).values()]
PRICED = [(contract, price) for contract in ALL for price in contract.prices]


def names(contract: Contract) -> str:
    return contract.name


def test_every_file_is_read() -> None:
    assert sorted(path.stem for path in CONTRACTS.iterdir()) == sorted(FAMILIES)
    assert all(shipped(family) for family in FAMILIES)


@pytest.mark.parametrize("contract", ALL, ids=names)
def test_no_promise_is_made_that_nobody_published(contract: Contract) -> None:
    assert contract.guarantees == Guarantees()


@pytest.mark.parametrize("contract", ALL, ids=names)
def test_every_belief_says_what_it_rests_on_and_names_known_tasks(contract: Contract) -> None:
    assert contract.quality.source
    assert contract.quality.by_task.keys() <= set(TASK_CLASSES)
    assert all(0 < belief < PPM for belief in (contract.quality.default, *contract.quality.by_task.values()))


@pytest.mark.parametrize("contract", ALL, ids=names)
def test_what_it_can_do_is_stated(contract: Contract) -> None:
    capabilities = contract.capabilities
    assert contract.owner
    assert capabilities.context_length > 0
    assert (Operation.EMBED in capabilities.operations) == (capabilities.dimensions > 0)
    assert capabilities.max_output_tokens < capabilities.context_length


@pytest.mark.parametrize("contract", ALL, ids=names)
def test_its_tokenizer_is_one_that_the_counter_knows(contract: Contract) -> None:
    chats = Operation.CHAT in contract.capabilities.operations
    assert (contract.traits.get(TOKENIZER_TRAIT) in TOKENIZERS) == chats


@pytest.mark.parametrize("contract", [c for family in SOLD for c in shipped(family).values()], ids=names)
def test_what_is_sold_has_a_price_in_force_and_leaves_the_machine(contract: Contract) -> None:
    assert contract.price_on(WRITTEN) is not None
    assert contract.privacy.clearance is DataClass.INTERNAL
    assert not contract.privacy.on_premises
    assert contract.privacy.retention_days is not None


@pytest.mark.parametrize("contract", [c for family in OWN for c in shipped(family).values()], ids=names)
def test_what_runs_on_own_machines_costs_nothing_and_sees_everything(contract: Contract) -> None:
    assert contract.prices == ()
    assert contract.privacy.clearance is DataClass.RESTRICTED
    assert contract.privacy.on_premises


@pytest.mark.parametrize(("contract", "price"), PRICED, ids=[c.price_version(p.effective_date) for c, p in PRICED])
def test_a_price_is_dated_sourced_and_plausible(contract: Contract, price: Price) -> None:
    assert urlsplit(price.source).scheme == "https"
    assert price.effective_date >= date(2024, 1, 1)
    for rates in filter(None, (price.rates, price.long_context_rates)):
        assert rates.input > 0
        assert (rates.output > rates.input) == (Operation.CHAT in contract.capabilities.operations)
        assert rates.cached_input is None or rates.cached_input < rates.input
        assert rates.cache_write is None or rates.cache_write > rates.input


@pytest.mark.parametrize(("contract", "price"), PRICED, ids=[c.price_version(p.effective_date) for c, p in PRICED])
def test_a_long_context_never_costs_less(contract: Contract, price: Price) -> None:
    long = price.long_context_rates
    if long is None:
        assert price.long_context_tokens == 0
        return
    assert 0 < price.long_context_tokens < contract.capabilities.context_length
    assert long.input > price.rates.input
    assert long.output > price.rates.output
    assert (long.cached_input or 0) > (price.rates.cached_input or 0)
    assert (long.cache_write or 0) > (price.rates.cache_write or 0)


def test_the_demonstration_is_believed_to_be_worse_than_everything_else() -> None:
    demonstration = [contract for contract in ALL if contract.demonstration]
    assert [contract.name for contract in demonstration] == ["local/chat"]
    chats = [c for c in ALL if Operation.CHAT in c.capabilities.operations and not c.demonstration]
    assert demonstration[0].quality.default < min(contract.quality.default for contract in chats) // 2


def test_announced_prices_wait_for_their_day() -> None:
    flash = shipped("gemini")["gemini-3.8-flash"]
    prices = [flash.price_on(day) for day in (date(2026, 12, 31), date(2027, 1, 1))]
    assert [price.rates.output for price in prices if price] == [3_750_000, 7_500_000]
