"""Verification: what was written holds, and whatever was changed is found, at the step where it was changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_decision_fakes import FakeDecisionLog, FakeEngine, registry_of, rules_of, world_of
from router_decisions import DECISION, NOW
from router_fakes import service_of

from provider_router.domain.contracts.contract import DataClass
from provider_router.domain.decisions.canonical_json import digest_of
from provider_router.domain.decisions.decision import Control, Decision, Promise, Rejected, Rejection, Step
from provider_router.domain.decisions.decision_document import encode_decision
from provider_router.domain.decisions.decision_record import ChainLink, chained, hash_of
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.decisions.service_state import ServiceState
from provider_router.domain.decisions.stored_world import WorldPart, encode_part, parts_of
from provider_router.domain.decisions.verification import Check, Verification
from provider_router.use_cases.verify_decision import VerifyDecision
from shared.errors import InvalidInput, NotFound

WORLD = world_of(state={"one/m": ServiceState(load_ppm=5)})
ENGINE = FakeEngine("three/m")
IDS = ("d-1", "d-2", "d-3")
MIDDLE = 1


def log_of_three() -> FakeDecisionLog:
    log = FakeDecisionLog()
    for decision_id in IDS:
        asyncio.run(log.append(decision_id, ENGINE.decide(WORLD, DECISION.request, NOW), WORLD))
    return log


def verified(log: FakeDecisionLog, decision_id: str = "d-2", engine: FakeEngine = ENGINE) -> Verification:
    return asyncio.run(VerifyDecision(log, lambda: engine)("org-a", decision_id))


def forge(log: FakeDecisionLog, change: Callable[[Decision], Decision]) -> None:
    """Changes the newest record together with its hash, as somebody would who can write to the database."""
    records = log.records["org-a"]
    last = records[-1]
    decision = change(ENGINE.decide(WORLD, DECISION.request, NOW))
    after = ChainLink(last.sequence - 1, last.previous_hash)
    records[-1] = chained(last.decision_id, last.org_id, last.time_us, encode_decision(decision), after)


@pytest.mark.parametrize("decision_id", IDS)
def test_what_was_written_holds(decision_id: str) -> None:
    assert verified(log_of_three(), decision_id) == Verification(tuple(Check))


def test_a_chain_whose_beginning_was_removed_holds() -> None:
    log = log_of_three()
    asyncio.run(log.prune(older_than=NOW, keep=2, limit=10))
    assert verified(log, "d-2").valid
    assert verified(log, "d-3").valid
    log.anchors["org-a"] = replace(log.anchors["org-a"], record_hash="0" * 64)
    assert verified(log, "d-2").differing is Check.CHAIN
    assert verified(log, "d-3").valid


def test_a_decision_that_there_is_not() -> None:
    with pytest.raises(NotFound, match="d-9") as caught:
        verified(log_of_three(), "d-9")
    assert caught.value.reason == "DECISION_UNKNOWN"
    with pytest.raises(NotFound):
        asyncio.run(VerifyDecision(log_of_three(), lambda: ENGINE)("org-b", "d-1"))


RECORD = log_of_three().records["org-a"][MIDDLE]


@given(st.integers(0, len(RECORD.payload) - 1), st.integers(1, 255))
def test_every_changed_byte_of_a_payload_is_found_in_the_record(place: int, change: int) -> None:
    log = log_of_three()
    payload = bytearray(RECORD.payload)
    payload[place] ^= change
    log.records["org-a"][MIDDLE] = replace(RECORD, payload=bytes(payload))
    found = verified(log)
    assert (found.differing, found.checked) == (Check.RECORD, (Check.CHAIN, Check.RECORD))


@given(
    st.sampled_from(["previous_hash", "record_hash"]), st.integers(0, 63), st.sampled_from("0123456789abcdefABCDEF ")
)
def test_every_changed_digit_of_a_hash_is_found_in_the_chain(name: str, place: int, digit: str) -> None:
    log = log_of_three()
    before = getattr(RECORD, name)
    after = before[:place] + digit + before[place + 1 :]
    log.records["org-a"][MIDDLE] = replace(RECORD, **{name: after})
    assert verified(log).differing is (None if after == before else Check.CHAIN)


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"sequence": 5}, Check.CHAIN),
        ({"time_us": RECORD.time_us + 1}, Check.RECORD),
        ({"payload": b""}, Check.RECORD),
        ({"payload": RECORD.payload + b" "}, Check.RECORD),
    ],
)
def test_other_changed_columns(changes: dict[str, object], check: Check) -> None:
    log = log_of_three()
    log.records["org-a"][MIDDLE] = replace(RECORD, **changes)
    assert verified(log).differing is check


def test_the_hash_of_the_newest_record_has_nothing_after_it_but_its_content() -> None:
    log = log_of_three()
    log.records["org-a"][-1] = replace(log.records["org-a"][-1], record_hash="0" * 64)
    assert verified(log, "d-3").differing is Check.RECORD


def test_two_records_that_changed_places() -> None:
    log = log_of_three()
    one, two, three = log.records["org-a"]
    log.records["org-a"] = [replace(two, sequence=1), replace(one, sequence=2), three]
    assert verified(log, "d-1").differing is Check.CHAIN
    assert verified(log, "d-2").differing is Check.CHAIN


def test_a_record_under_the_id_of_another() -> None:
    log = log_of_three()
    log.records["org-a"][MIDDLE] = replace(RECORD, decision_id="d-9")
    assert verified(log, "d-9").differing is Check.RECORD


def test_a_removed_record() -> None:
    log = log_of_three()
    del log.records["org-a"][MIDDLE]
    found = verified(log, "d-3")
    assert found.differing is Check.CHAIN
    assert "missing" in found.detail


def test_a_record_that_was_changed_with_its_hash_is_found_by_the_one_after_it() -> None:
    log = log_of_three()
    changed = replace(RECORD, payload=RECORD.payload.replace(b'"choice":"one/m"', b'"choice":"two/m"'))
    log.records["org-a"][MIDDLE] = replace(changed, record_hash=hash_of(changed))
    assert verified(log).differing is Check.CHAIN
    assert verified(log, "d-3").differing is Check.CHAIN
    assert verified(log, "d-1").valid


CHECKS = {WorldPart.REGISTRY: Check.SNAPSHOT, WorldPart.RULES: Check.STORED_RULES, WorldPart.STATE: Check.STATE}
NAMES = {name.part: name for name in parts_of(ENGINE.decide(WORLD, DECISION.request, NOW))}


@given(st.sampled_from(WorldPart), st.data())
def test_every_changed_byte_of_a_world_is_found_in_its_part(part: WorldPart, data: st.DataObject) -> None:
    log = log_of_three()
    document = bytearray(encode_part(WORLD, part))
    document[data.draw(st.integers(0, len(document) - 1))] ^= data.draw(st.integers(1, 255))
    log.documents["org-a", NAMES[part]] = bytes(document)
    assert verified(log).differing is CHECKS[part]


@pytest.mark.parametrize("part", WorldPart)
def test_a_part_of_the_world_that_is_missing(part: WorldPart) -> None:
    log = log_of_three()
    del log.documents["org-a", NAMES[part]]
    found = verified(log)
    assert found.differing is CHECKS[part]
    assert "missing" in found.detail


@pytest.mark.parametrize(
    ("other", "check"),
    [
        (replace(WORLD, registry=registry_of(service_of("one/m"), service_of("zero/m"))), Check.SCORE),
        (replace(WORLD, rules=rules_of(default_tier="deep")), Check.FIELD_STATE),
    ],
)
def test_a_world_that_was_exchanged_with_its_digest(other: object, check: Check) -> None:
    log = log_of_three()
    digests = {
        "registry_digest": other.registry.digest,
        "rules_digest": other.rules.digest,
        "state_digest": other.state.digest,
    }
    for part in WorldPart:
        document = encode_part(other, part)
        digest = digest_of(document)
        log.documents["org-a", replace(NAMES[part], digest=digest)] = document
    forge(log, lambda decision: replace(decision, **digests))
    assert verified(log, "d-3").differing is check


@pytest.mark.parametrize(
    ("check", "change"),
    [
        (Check.RECORD, lambda d: replace(d, request=replace(d.request, caller=Caller("org-b", "u")))),
        (Check.RECORD, lambda d: replace(d, time=NOW.replace(year=2025))),
        (Check.FIELD_STATE, lambda d: replace(d, tier="deep")),
        (Check.MATCH, lambda d: rejecting(d, Step.MATCH, Rejected.OPERATION)),
        (Check.RULES, lambda d: rejecting(d, Step.RULES, Rejected.FORBIDDEN_BY_RULE)),
        (Check.SECURITY, lambda d: rejecting(d, Step.SECURITY, Rejected.CLEARANCE)),
        (Check.TRAITS, lambda d: replace(d, rejections=())),
        (Check.TRAITS, lambda d: rejecting(d, Step.TRAITS, Rejected.TRAIT)),
        (Check.SCORE, lambda d: replace(d, choice="two/m")),
        (Check.SCORE, lambda d: replace(d, ranked=d.ranked[::-1])),
        (Check.SCORE, lambda d: replace(d, ranked=d.ranked[:1])),
        (Check.SCORE, lambda d: replace(d, ranked=(replace(d.ranked[0], score=91), *d.ranked[1:]))),
        (Check.GUARANTEES, lambda d: replace(d, promise=Promise(clearance=DataClass.RESTRICTED))),
        (Check.CONTROL, lambda d: replace(d, control=Control())),
    ],
)
def test_a_decision_that_does_not_follow_is_found_at_its_step(
    check: Check, change: Callable[[Decision], Decision]
) -> None:
    log = log_of_three()
    forge(log, change)
    found = verified(log, "d-3")
    assert found.differing is check
    assert found.detail
    assert found.checked == tuple(Check)[: tuple(Check).index(check) + 1]


def rejecting(decision: Decision, step: Step, reason: Rejected) -> Decision:
    return replace(decision, rejections=(Rejection("a/m", step, reason), *decision.rejections))


def test_a_request_that_cannot_be_decided_any_more() -> None:
    class Refusing(FakeEngine):
        def decide(self, world, request, now, formula):
            raise InvalidInput("TIER_UNKNOWN", "There is no such tier.")

    found = verified(log_of_three(), engine=Refusing())
    assert found.differing is Check.FIELD_STATE
    assert "no such tier" in found.detail
