"""R-6 and S-6: in every world every decision has a record that verifies, and no changed record does."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from router_decision_fakes import FakeDecisionLog
from router_strategies import moments, requests, worlds

from provider_router.adapters.policy_evaluator_cedar import CedarPolicyEvaluator
from provider_router.domain.decisions.canonical_json import NotCanonical, canonical_bytes
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.decision_document import decode_decision, encode_decision, microseconds_of
from provider_router.domain.decisions.decision_record import ChainLink, chained
from provider_router.domain.decisions.recorded_decision import read_record
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.decisions.stored_world import encode_part, parts_of
from provider_router.domain.decisions.verification import Check, Verification
from provider_router.domain.decisions.world import World
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.use_cases.verify_decision import VerifyDecision

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def engine() -> DecisionEngine:
    return DecisionEngine(CedarPolicyEvaluator().verdicts)


def logged(world: World, *decisions: Decision) -> FakeDecisionLog:
    log = FakeDecisionLog()
    for place, decision in enumerate(decisions):
        asyncio.run(log.append(f"d-{place}", decision, world))
    return log


def verified(log: FakeDecisionLog, org_id: str, decision_id: str = "d-0") -> Verification:
    return asyncio.run(VerifyDecision(log, engine)(org_id, decision_id))


@settings(max_examples=50, suppress_health_check=SLOW)
@given(worlds(), st.lists(requests, min_size=1, max_size=3), moments)
def test_every_decision_has_a_record_that_replays(world: World, asked: list[RouteRequest], now: datetime) -> None:
    shared = engine()
    decisions = [shared.decide(world, request, now) for request in asked]
    log = logged(world, *decisions)
    for place, decision in enumerate(decisions):
        org_id = decision.request.caller.org_id
        found = verified(log, org_id, f"d-{place}")
        assert found == Verification(tuple(Check)), found
        record = asyncio.run(log.get(org_id, f"d-{place}"))
        assert read_record(record).decision == decision


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [leaf for key, each in children for leaf in leaves(each, (*path, key))]
    return found or [path]


def other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return value + "x" if isinstance(value, str) else 7


@settings(max_examples=60, suppress_health_check=SLOW)
@given(worlds(), requests, moments, st.data())
def test_whatever_was_decided_otherwise_is_found_even_with_a_new_hash(
    world: World, request: RouteRequest, now: datetime, data: st.DataObject
) -> None:
    decision = engine().decide(world, request, now)
    content = json.loads(encode_decision(decision))
    decided = ("tier", "rejections", "ranked", "choice", "promise", "control")
    path = data.draw(st.sampled_from([leaf for part in decided for leaf in leaves(content[part], (part,))]))
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = other(place[path[-1]])
    log = logged(world, decision)
    org_id = request.caller.org_id
    log.records[org_id] = [
        chained("d-0", org_id, microseconds_of(decision.time), canonical_bytes(content), ChainLink())
    ]
    found = verified(log, org_id)
    assert not found.valid
    assert found.differing in (Check.RECORD, *tuple(Check)[5:])


@settings(max_examples=25, suppress_health_check=SLOW)
@given(worlds(), requests, moments, st.data())
def test_every_changed_byte_of_what_was_stored_is_found(
    world: World, request: RouteRequest, now: datetime, data: st.DataObject
) -> None:
    decision = engine().decide(world, request, now)
    log = logged(world, decision)
    org_id = request.caller.org_id
    name = data.draw(st.sampled_from(parts_of(decision)))
    document = bytearray(encode_part(world, name.part))
    document[data.draw(st.integers(0, len(document) - 1))] ^= data.draw(st.integers(1, 255))
    log.documents[org_id, name] = bytes(document)
    assert verified(log, org_id).differing in (Check.SNAPSHOT, Check.STORED_RULES, Check.STATE)


def test_a_record_whose_hash_was_changed_is_not_believed() -> None:
    record = chained("d-0", "org-a", 0, b"{}", ChainLink())
    assert read_record(record).decision is None
    with pytest.raises(NotCanonical):
        decode_decision(record.payload)
