"""Generators of contracts, and an in-memory registry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import date

from hypothesis import strategies as st

from provider_router.domain.contracts.configuration import Configuration
from provider_router.domain.contracts.contract import (
    ANY_LANGUAGE,
    PPM,
    Capabilities,
    Constraints,
    Contract,
    DataClass,
    Guarantees,
    Modality,
    Operation,
    Price,
    Privacy,
    Quality,
    Rates,
    TimeWindow,
)
from provider_router.domain.contracts.registry_change import (
    Change,
    Removal,
    registered,
    removed,
    replaced,
    request_id_reused,
)
from provider_router.domain.contracts.registry_view import FilesState, snapshot_of, together
from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.tasks.task import TASK_CLASSES
from shared.clock import Clock

COUNT = st.integers(0, 2**32 - 1)
RATE = st.integers(0, 100_000 * PPM)
TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S"), include_characters=" "), max_size=40)
WORD = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
TAG = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)
LANGUAGES = st.just(frozenset({ANY_LANGUAGE})) | st.frozensets(
    st.from_regex(r"[a-z]{2,8}", fullmatch=True), min_size=1, max_size=4
)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}/[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,20}", fullmatch=True)


def some(values: type) -> st.SearchStrategy:
    return st.frozensets(st.sampled_from(list(values)), min_size=1)


CAPABILITIES = st.builds(
    Capabilities,
    operations=some(Operation),
    input_modalities=some(Modality),
    output_modalities=some(Modality),
    tool_calling=st.booleans(),
    json_schema=st.booleans(),
    streaming=st.booleans(),
    context_length=st.integers(0, 100_000_000),
    max_output_tokens=st.integers(0, 10_000_000),
    dimensions=st.integers(0, 100_000),
    languages=LANGUAGES,
)
GUARANTEES = st.builds(
    lambda quantiles, **rest: Guarantees(quantiles[0], quantiles[1], **rest),
    quantiles=st.tuples(COUNT, COUNT).map(sorted),
    tokens_per_second=COUNT,
    availability_ppm=st.integers(0, PPM),
    deterministic=st.booleans(),
)
WINDOWS = st.builds(
    lambda weekdays, minutes: TimeWindow(weekdays, minutes[0], minutes[1]),
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    minutes=st.lists(st.integers(0, 1440), min_size=2, max_size=2, unique=True).map(sorted),
)
CONSTRAINTS = st.builds(
    Constraints,
    requests_per_minute=COUNT,
    tokens_per_minute=COUNT,
    max_payload_bytes=COUNT,
    windows=st.lists(WINDOWS, max_size=3).map(tuple),
)
PRIVACY = st.builds(
    Privacy,
    clearance=st.sampled_from(DataClass),
    regions=st.frozensets(WORD, max_size=3),
    retention_days=st.none() | COUNT,
    trains_on_data=st.none() | st.booleans(),
    on_premises=st.booleans(),
    encrypted=st.booleans(),
    certifications=st.frozensets(WORD, max_size=3),
)
RATES = st.builds(Rates, input=RATE, output=RATE, cached_input=st.none() | RATE, cache_write=st.none() | RATE)


@st.composite
def prices(draw: st.DrawFn) -> tuple[Price, ...]:
    days = sorted(draw(st.sets(st.dates(date(1970, 1, 1), date(2100, 1, 1)), max_size=3)))
    found = []
    for day in days:
        threshold = draw(st.integers(0, 2**32 - 1))
        longer = draw(RATES) if threshold else None
        found.append(Price(day, draw(RATES), threshold, longer, draw(RATE), draw(TEXT)))
    return tuple(found)


QUALITY = st.builds(
    Quality,
    default=st.integers(0, PPM),
    by_task=st.dictionaries(st.sampled_from(TASK_CLASSES), st.integers(0, PPM), max_size=4),
    source=TEXT,
)
TRAITS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT,
    max_size=4,
)


def contracts(names: st.SearchStrategy[str] = NAMES) -> st.SearchStrategy[Contract]:
    """Good contracts of every shape, as one that was registered anew: version, organisation and so on are free."""
    return st.builds(
        Contract,
        name=names,
        capabilities=CAPABILITIES,
        version=st.integers(1, 2**32 - 1),
        owner=TEXT,
        tags=st.frozensets(TAG, max_size=3),
        guarantees=GUARANTEES,
        constraints=CONSTRAINTS,
        privacy=PRIVACY,
        prices=prices(),
        quality=QUALITY,
        traits=TRAITS,
    )


class FakeServiceRegistry:
    """A `ServiceRegistry` that keeps everything in memory. Set `files` by `reconfigure`."""

    def __init__(self, configuration: Configuration, clock: Clock) -> None:
        self._clock = clock
        self._files = FilesState(configuration)
        self._own: dict[str, dict[str, Contract]] = {}
        self._answers: dict[tuple[str, str], tuple[object, Contract | None]] = {}
        self._version = 0
        self._views: dict[str, RegistrySnapshot] = {"": RegistrySnapshot()}
        self._changed = asyncio.Event()
        self._take({"", *self._own})

    def current(self, org_id: str = "") -> RegistrySnapshot:
        return self._views.get(org_id) or self._views[""]

    def everything(self) -> RegistrySnapshot:
        return self._everything

    async def changes(self, after_version: int, org_id: str = "") -> AsyncGenerator[RegistrySnapshot, None]:
        while True:
            changed = self._changed
            if self.current(org_id).version > after_version:
                after_version = self.current(org_id).version
                yield self.current(org_id)
            else:
                await changed.wait()

    async def register(self, change: Change) -> Contract:
        return self._put("register", change, registered)

    async def update(self, change: Change) -> Contract:
        return self._put("update", change, replaced)

    async def deregister(self, removal: Removal) -> None:
        key, asked = (removal.org_id, removal.request_id), removal.name
        if key in self._answers:
            if self._answers[key] != (asked, None):
                raise request_id_reused(removal.request_id)
            return
        removed(removal.name, self._files.configuration, self._own.get(removal.org_id, {}))
        del self._own[removal.org_id][removal.name]
        self._answers[key] = (asked, None)
        self._take({removal.org_id})

    def reconfigure(self, configuration: Configuration) -> None:
        self._files = FilesState(configuration)
        self._take({*self._views})

    def _put(self, verb, change, settled) -> Contract:
        org_id = change.contract.org_id
        key, asked = (org_id, change.request_id), (verb, change.contract)
        if key in self._answers:
            before, contract = self._answers[key]
            if before != asked or contract is None:
                raise request_id_reused(change.request_id)
            return contract
        own = self._own.get(org_id, {})
        contract = settled(change.contract, self._files.configuration, own, self._clock.now().date())
        self._own[org_id] = {**own, contract.name: contract}
        self._answers[key] = (asked, contract)
        self._take({org_id})
        return contract

    def _take(self, touched: set[str]) -> None:
        self._version += 1
        made = {
            org_id: snapshot_of(self._files, self._own.get(org_id, {}), self._version, self._clock.now())
            for org_id in touched
        }
        self._views = {**self._views, **made}
        self._everything = together(self._views.values(), self._views[""])
        self._changed.set()
        self._changed = asyncio.Event()
