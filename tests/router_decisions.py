"""Builders and generators of decisions, for tests of records and proofs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from provider_router.domain.contracts.contract import DataClass, Modality, Operation
from provider_router.domain.decisions.decision import (
    TERMS,
    Control,
    Decision,
    Link,
    Promise,
    Ranked,
    Rejected,
    Rejection,
    Step,
)
from provider_router.domain.decisions.route_request import Caller, Comparison, Estimate, RouteRequest, TraitConstraint
from provider_router.domain.decisions.service_state import Measured, Reward, ServiceState
from shared.circuit_breaker import Breaker

NOW = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
CALLER = Caller("org-a", "user-1", "key-1", ("owner",))
DECISION = Decision(
    time=NOW,
    request=RouteRequest(CALLER, chain=("one/m", "two/m")),
    registry_digest="a" * 64,
    rules_digest="b" * 64,
    state_digest="c" * 64,
    tier="balanced",
    rejections=(Rejection("three/m", Step.SECURITY, Rejected.CLEARANCE, "cleared for public"),),
    ranked=(
        Ranked("one/m", 700, (100,) * 7 + (0, 0), 120, 900, 4000),
        Ranked("two/m", 500, (100,) * 5 + (0, 0, 0, 0), 100, 800, 3000),
    ),
    choice="one/m",
    promise=Promise(
        990_000, 3000, 1234, DataClass.INTERNAL, frozenset({"eu", "us"}), 30, may_train=False, on_premises=False
    ),
    control=Control((Link("one/m", 2, 60_000), Link("two/m", 1, 60_000)), 4, 300_000, 30_000, 0, 200, 5_000),
)


def decision_for(org_id: str, **changes: object) -> Decision:
    request = replace(DECISION.request, caller=replace(CALLER, org_id=org_id))
    return replace(DECISION, **{"request": request, **changes})


texts = st.text(max_size=12)
names = st.text(min_size=1, max_size=12)
numbers = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**53)
optional = st.none() | counts
times = st.datetimes(timezones=st.just(UTC))
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
constraints = st.builds(
    TraitConstraint,
    names,
    st.sampled_from(Comparison),
    st.lists(st.booleans() | st.integers(2, 2**60) | texts, max_size=3).map(tuple),
)
requests = st.builds(
    RouteRequest,
    caller=st.builds(Caller, names, names, texts, st.lists(names, max_size=3).map(tuple)),
    operation=st.sampled_from(Operation),
    model=texts,
    provider=texts,
    chain=st.lists(names, max_size=3).map(tuple),
    tier=texts,
    input_modalities=st.frozensets(st.sampled_from(Modality)),
    output_modalities=st.frozensets(st.sampled_from(Modality)),
    needs_tools=st.booleans(),
    needs_json_schema=st.booleans(),
    language=texts,
    input_tokens=counts,
    max_output_tokens=counts,
    output_tokens=counts,
    payload_bytes=counts,
    data_class=st.sampled_from(DataClass),
    residency=st.frozensets(names, max_size=3),
    traits=st.lists(constraints, max_size=2).map(tuple),
    max_cost_micro_usd=optional,
    budget_left_micro_usd=optional,
    deadline_ms=optional,
    affinity=texts,
    estimate=st.builds(Estimate, texts, counts, counts, texts),
)
decisions = st.builds(
    Decision,
    time=times,
    request=requests,
    registry_digest=digests,
    rules_digest=digests,
    state_digest=digests,
    tier=texts,
    rejections=st.lists(
        st.builds(Rejection, names, st.sampled_from(Step), st.sampled_from(Rejected), texts), max_size=3
    ).map(tuple),
    ranked=st.lists(
        st.builds(
            Ranked,
            names,
            numbers,
            st.lists(numbers, min_size=len(TERMS), max_size=len(TERMS)).map(tuple),
            counts,
            counts,
            counts,
        ),
        max_size=3,
    ).map(tuple),
    choice=texts,
    promise=st.builds(
        Promise,
        optional,
        optional,
        optional,
        st.sampled_from(DataClass),
        st.none() | st.frozensets(names, max_size=3),
        optional,
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    control=st.builds(
        Control,
        st.lists(st.builds(Link, names, counts, counts), max_size=3).map(tuple),
        counts,
        counts,
        counts,
        counts,
        counts,
        counts,
    ),
)
states = st.dictionaries(
    names,
    st.builds(
        ServiceState,
        configured=st.booleans(),
        breaker=st.sampled_from(Breaker),
        cooling=st.booleans(),
        load_ppm=counts,
        measured=st.builds(Measured, counts, counts, counts, counts, counts),
        broken_promises=st.lists(names, max_size=2).map(tuple),
        rewards=st.dictionaries(names, st.builds(Reward, counts, counts), max_size=2),
    ),
    max_size=3,
)
