"""What must hold in every contract, whatever form it came in.

Each form (YAML, message) checks types alone, and names the fields of a violation in its own words (`field_names`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from provider_router.domain.contracts.contract import (
    ANY_LANGUAGE,
    PPM,
    Capabilities,
    Constraints,
    Contract,
    Guarantees,
    Price,
    Privacy,
    Quality,
    Rates,
    TimeWindow,
)
from provider_router.domain.contracts.field_names import Path
from provider_router.domain.tasks.task import TASK_CLASSES

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}/[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,126}")
_TAG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_WORD = re.compile(r"[a-z0-9-]{1,32}")
_LANGUAGE = re.compile(r"[a-z]{2,8}")
_TRAIT = re.compile(r"[a-z][a-z0-9_]{0,63}")
_UINT32 = 2**32 - 1
_INT64 = 2**63 - 1
_RATE_CAP = 100_000 * PPM
"""100,000 US dollars per million tokens, and for one call: far above any price, far below an overflow."""
_TEXT_CAP = 512
_LIST_CAP = 64
_DAY_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that is wrong.

    Attributes:
        path: Names of the fields of `Contract` and of its parts, and indexes.
        description: What must hold, such as `must be at most 1440`.
    """

    path: Path
    description: str


def violations_of(contract: Contract) -> tuple[Violation, ...]:
    """Everything that is wrong in `contract`, in the order of its fields; empty for a good one."""
    return tuple(_all(contract))


def _all(contract: Contract) -> Iterator[Violation]:
    if not _NAME.fullmatch(contract.name):
        yield Violation(("name",), "must be `provider/model`, of letters, digits and . _ : / @ + -")
    yield from _within(("version",), contract.version, 1, _UINT32)
    yield from _text(("owner",), contract.owner, 128)
    yield from _words(("tags",), contract.tags, _TAG, "lower-case letters, digits, - and _")
    yield from _capabilities(contract.capabilities)
    yield from _guarantees(contract.guarantees)
    yield from _constraints(contract.constraints)
    yield from _privacy(contract.privacy)
    yield from _prices(contract.prices)
    yield from _quality(contract.quality)
    yield from _traits(contract)


def _capabilities(capabilities: Capabilities) -> Iterator[Violation]:
    at = "capabilities"
    for field, values in (
        ("operations", capabilities.operations),
        ("input_modalities", capabilities.input_modalities),
        ("output_modalities", capabilities.output_modalities),
        ("languages", capabilities.languages),
    ):
        if not values:
            yield Violation((at, field), "must hold at least one")
    yield from _within((at, "context_length"), capabilities.context_length, 0, 100_000_000)
    yield from _within((at, "max_output_tokens"), capabilities.max_output_tokens, 0, 10_000_000)
    yield from _within((at, "dimensions"), capabilities.dimensions, 0, 100_000)
    named = capabilities.languages - {ANY_LANGUAGE}
    if named and len(named) < len(capabilities.languages):
        yield Violation((at, "languages"), f"must be `{ANY_LANGUAGE}` alone, or name languages")
    yield from _words((at, "languages"), named, _LANGUAGE, "BCP 47 primary languages, such as `en`", 256)


def _guarantees(guarantees: Guarantees) -> Iterator[Violation]:
    at = "guarantees"
    p50_ms, p95_ms = guarantees.first_token_p50_ms, guarantees.first_token_p95_ms
    yield from _within((at, "first_token_p50_ms"), p50_ms, 0, _UINT32)
    yield from _within((at, "first_token_p95_ms"), p95_ms, 0, _UINT32)
    if p95_ms and p50_ms > p95_ms:
        yield Violation((at, "first_token_p95_ms"), "must be at least first_token_p50_ms")
    yield from _within((at, "tokens_per_second"), guarantees.tokens_per_second, 0, _UINT32)
    yield from _within((at, "availability_ppm"), guarantees.availability_ppm, 0, PPM)


def _constraints(constraints: Constraints) -> Iterator[Violation]:
    at = "constraints"
    yield from _within((at, "requests_per_minute"), constraints.requests_per_minute, 0, _UINT32)
    yield from _within((at, "tokens_per_minute"), constraints.tokens_per_minute, 0, _UINT32)
    yield from _within((at, "max_payload_bytes"), constraints.max_payload_bytes, 0, _UINT32)
    yield from _few((at, "windows"), constraints.windows, 32)
    for index, window in enumerate(constraints.windows):
        yield from _window((at, "windows", index), window)


def _window(at: Path, window: TimeWindow) -> Iterator[Violation]:
    if not window.weekdays or not window.weekdays <= frozenset(range(7)):
        yield Violation((*at, "weekdays"), "must be days of the week")
    yield from _within((*at, "start_minute"), window.start_minute, 0, _DAY_MINUTES - 1)
    yield from _within((*at, "end_minute"), window.end_minute, 1, _DAY_MINUTES)
    if window.end_minute <= window.start_minute:
        yield Violation((*at, "end_minute"), "must be after the start; use two windows around midnight")


def _privacy(privacy: Privacy) -> Iterator[Violation]:
    at = "privacy"
    yield from _words((at, "regions"), privacy.regions, _WORD, "lower-case codes such as `eu`", 32)
    if privacy.retention_days is not None:
        yield from _within((at, "retention_days"), privacy.retention_days, 0, _UINT32)
    yield from _words((at, "certifications"), privacy.certifications, _WORD, "lower-case names such as `soc2`", 32)


def _prices(prices: tuple[Price, ...]) -> Iterator[Violation]:
    yield from _few(("prices",), prices, _LIST_CAP)
    for index, price in enumerate(prices):
        at = ("prices", index)
        if index and price.effective_date <= prices[index - 1].effective_date:
            yield Violation((*at, "effective_date"), "must be later than that of the price before it")
        yield from _rates((*at, "rates"), price.rates)
        yield from _within((*at, "long_context_tokens"), price.long_context_tokens, 0, _UINT32)
        if (price.long_context_rates is None) != (price.long_context_tokens == 0):
            yield Violation((*at, "long_context_tokens"), "must stand together with the rates of long contexts")
        if price.long_context_rates is not None:
            yield from _rates((*at, "long_context_rates"), price.long_context_rates)
        yield from _within((*at, "per_request"), price.per_request, 0, _RATE_CAP)
        yield from _text((*at, "source"), price.source, _TEXT_CAP)


def _rates(at: Path, rates: Rates) -> Iterator[Violation]:
    for field, rate in (
        ("input", rates.input),
        ("output", rates.output),
        ("cached_input", rates.cached_input),
        ("cache_write", rates.cache_write),
    ):
        if rate is not None and not 0 <= rate <= _RATE_CAP:
            yield Violation((*at, field), "must be from 0 to 100,000 US dollars per million tokens")


def _quality(quality: Quality) -> Iterator[Violation]:
    at = "quality"
    yield from _within((at, "default"), quality.default, 0, PPM)
    for task, belief in quality.by_task.items():
        if task not in TASK_CLASSES:
            yield Violation((at, "by_task", task), f"is no task class; there are {', '.join(TASK_CLASSES)}")
        yield from _within((at, "by_task", task), belief, 0, PPM)
    yield from _text((at, "source"), quality.source, _TEXT_CAP)


def _traits(contract: Contract) -> Iterator[Violation]:
    yield from _few(("traits",), contract.traits, _LIST_CAP)
    for name, value in contract.traits.items():
        at = ("traits", name)
        if not _TRAIT.fullmatch(name):
            yield Violation(at, "the name of a trait must start with a letter and hold a-z, 0-9 and _ alone")
        if isinstance(value, str):
            yield from _text(at, value, 256)
        else:
            yield from _within(at, value, -_INT64 - 1, _INT64)


def _within(path: Path, value: int, least: int, most: int) -> Iterator[Violation]:
    if value < least:
        yield Violation(path, f"must be at least {least}")
    elif value > most:
        yield Violation(path, f"must be at most {most}")


def _text(path: Path, value: str, cap: int) -> Iterator[Violation]:
    if len(value) > cap:
        yield Violation(path, f"must have at most {cap} characters")
    elif not value.isprintable():
        yield Violation(path, "must be printable text on one line")


def _few(path: Path, values: Iterable[object], cap: int) -> Iterator[Violation]:
    if sum(1 for _ in values) > cap:
        yield Violation(path, f"must hold at most {cap}")


def _words(
    path: Path, words: Iterable[str], form: re.Pattern[str], wanted: str, cap: int = _LIST_CAP
) -> Iterator[Violation]:
    yield from _few(path, words, cap)
    if any(not form.fullmatch(word) for word in words):
        yield Violation(path, f"must hold {wanted}")
