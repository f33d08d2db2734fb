"""The canonical form of a decision: what its record holds, and what is hashed.

One object in canonical JSON (`canonical_json`). Lists of many equal things are written as rows, not as objects:

| field | what |
| --- | --- |
| `choice`, `tier` | names; `choice` is empty for none |
| `control` | the fields of `Control`; `chain` as rows `[service, tries, first_token_timeout_ms]` |
| `promise` | the fields of `Promise`; `clearance` 0 (public) to 3, `regions` in order or null |
| `ranked` | rows `[service, score, [terms], cost_micro_usd or null, first_token_ms, total_ms]`, best first |
| `rejections` | rows `[service, step, reason, detail]` |
| `request` | the fields of `RouteRequest`; sets in order, `data_class` 0 to 3, `traits` as rows |
| `registry_digest`, `rules_digest`, `state_digest` | SHA-256, hexadecimal |
| `time_us` | microseconds since 1970, UTC |
| `version` | the formula that it was made by (`decision.FORMULA`), which this form follows |

There is no field for a text of the request or for a key, so that none can get into a record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

import orjson

from provider_router.domain.contracts.contract import DataClass
from provider_router.domain.decisions.canonical_json import (
    NotCanonical,
    Reader,
    items_of,
    member_of,
    number_of,
    text_of,
)
from provider_router.domain.decisions.decision import (
    FORMULA,
    Control,
    Decision,
    Link,
    Promise,
    Ranked,
    Rejected,
    Rejection,
    Step,
)
from provider_router.domain.decisions.request_document import read_request, request_document

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT = 256
_T = TypeVar("_T")
_MICROSECOND = timedelta(microseconds=1)


class _Kept(Generic[_T]):
    """Encodes parts that are the same objects in many decisions, as the engine makes them: each once.

    Args:
        document: Of a part, which never changes.
    """

    def __init__(self, document: Callable[[_T], object]) -> None:
        self._document = document
        # With the part, so that no other one gets its identity.
        self._encoded: dict[int, tuple[_T, orjson.Fragment]] = {}

    def of(self, part: _T) -> orjson.Fragment:
        """What `part` is in the canonical form."""
        known = self._encoded.get(id(part))
        if known is None:
            if len(self._encoded) >= _KEPT:
                self._encoded.clear()
            known = self._encoded[id(part)] = (part, orjson.Fragment(orjson.dumps(self._document(part))))
        return known[1]


def encode_decision(decision: Decision) -> bytes:
    """The canonical form of `decision`."""
    # Keys stand in order here, below and in `request_document`: sorting them at each call would only cost time.
    return orjson.dumps(
        {
            "choice": decision.choice,
            "control": _controls.of(decision.control),
            "promise": _promise(decision.promise),
            "ranked": [
                (r.service, r.score, r.terms, r.expected_cost_micro_usd, r.expected_first_token_ms, r.expected_total_ms)
                for r in decision.ranked
            ],
            "registry_digest": decision.registry_digest,
            "rejections": _rejections.of(decision.rejections),
            "request": request_document(decision.request, decision.formula),
            "rules_digest": decision.rules_digest,
            "state_digest": decision.state_digest,
            "tier": decision.tier,
            "time_us": microseconds_of(decision.time),
            "version": decision.formula,
        }
    )


def decode_decision(payload: bytes) -> Decision:
    """The decision that `payload` holds.

    Raises:
        NotCanonical: It is not, to the byte, what `encode_decision` makes of a decision.
    """
    reader = Reader.parse(payload)
    formula = reader.number("version")
    if not 1 <= formula <= FORMULA:
        raise NotCanonical(f"it was made by formula {formula}, and this router knows {FORMULA}")
    decision = Decision(
        time=time_of(reader.number("time_us")),
        request=read_request(reader.object("request"), formula),
        registry_digest=reader.text("registry_digest"),
        rules_digest=reader.text("rules_digest"),
        state_digest=reader.text("state_digest"),
        tier=reader.text("tier"),
        rejections=tuple(_read_rejection(row) for row in reader.items("rejections")),
        ranked=tuple(_read_ranked(row) for row in reader.items("ranked")),
        choice=reader.text("choice"),
        promise=_read_promise(reader.object("promise")),
        control=_read_control(reader.object("control")),
        formula=formula,
    )
    if encode_decision(decision) != payload:
        raise NotCanonical("the decision is not in canonical form")
    return decision


def microseconds_of(time: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (time - _EPOCH) // _MICROSECOND


def time_of(time_us: int) -> datetime:
    """The time of so many microseconds since 1970, UTC. Raises NotCanonical beyond the years that there are."""
    try:
        return _EPOCH + timedelta(microseconds=time_us)
    except OverflowError as error:
        raise NotCanonical("the time is beyond all years") from error


def _control(control: Control) -> dict[str, object]:
    return {
        "backoff_base_ms": control.backoff_base_ms,
        "backoff_cap_ms": control.backoff_cap_ms,
        "chain": [(link.service, link.tries, link.first_token_timeout_ms) for link in control.chain],
        "hedge_after_ms": control.hedge_after_ms,
        "idle_timeout_ms": control.idle_timeout_ms,
        "max_attempts": control.max_attempts,
        "total_timeout_ms": control.total_timeout_ms,
    }


def _rejected(rejections: Sequence[Rejection]) -> list[object]:
    return [(each.service, each.step, each.reason, each.detail) for each in rejections]


_controls = _Kept[Control](_control)
_rejections = _Kept[Sequence[Rejection]](_rejected)


def _promise(promise: Promise) -> dict[str, object]:
    return {
        "availability_ppm": promise.availability_ppm,
        "clearance": int(promise.clearance),
        "deterministic": promise.deterministic,
        "first_token_p95_ms": promise.first_token_p95_ms,
        "max_cost_micro_usd": promise.max_cost_micro_usd,
        "may_train": promise.may_train,
        "on_premises": promise.on_premises,
        "regions": None if promise.regions is None else sorted(promise.regions),
        "retention_days": promise.retention_days,
    }


def _read_control(reader: Reader) -> Control:
    return Control(
        chain=tuple(_read_link(row) for row in reader.items("chain")),
        max_attempts=reader.number("max_attempts"),
        total_timeout_ms=reader.number("total_timeout_ms"),
        idle_timeout_ms=reader.number("idle_timeout_ms"),
        hedge_after_ms=reader.number("hedge_after_ms"),
        backoff_base_ms=reader.number("backoff_base_ms"),
        backoff_cap_ms=reader.number("backoff_cap_ms"),
    )


def _read_link(value: object) -> Link:
    service, tries, timeout_ms = items_of(value, "control.chain", 3)
    return Link(
        text_of(service, "control.chain"),
        number_of(tries, "control.chain"),
        number_of(timeout_ms, "control.chain"),
    )


def _read_promise(reader: Reader) -> Promise:
    regions = reader.texts_or_none("regions")
    return Promise(
        availability_ppm=reader.number_or_none("availability_ppm"),
        first_token_p95_ms=reader.number_or_none("first_token_p95_ms"),
        max_cost_micro_usd=reader.number_or_none("max_cost_micro_usd"),
        clearance=reader.choice("clearance", DataClass),
        regions=None if regions is None else frozenset(regions),
        retention_days=reader.number_or_none("retention_days"),
        may_train=reader.flag("may_train"),
        on_premises=reader.flag("on_premises"),
        deterministic=reader.flag("deterministic"),
    )


def _read_rejection(value: object) -> Rejection:
    service, step, reason, detail = items_of(value, "rejections", 4)
    return Rejection(
        text_of(service, "rejections"),
        member_of(step, Step, "rejections"),
        member_of(reason, Rejected, "rejections"),
        text_of(detail, "rejections"),
    )


def _read_ranked(value: object) -> Ranked:
    service, score, terms, *expected = items_of(value, "ranked", 6)
    cost, first_token_ms, total_ms = expected
    return Ranked(
        service=text_of(service, "ranked"),
        score=number_of(score, "ranked"),
        terms=tuple(number_of(term, "ranked") for term in items_of(terms, "ranked")),
        expected_cost_micro_usd=None if cost is None else number_of(cost, "ranked"),
        expected_first_token_ms=number_of(first_token_ms, "ranked"),
        expected_total_ms=number_of(total_ms, "ranked"),
    )
