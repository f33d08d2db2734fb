"""Times decisions of the router over 10, 100 and 1,000 services, with the shipped rules and their Cedar policies.

`python -m benchmarks.router_decisions`: prints a table and one line of JSON. In process, without a mesh. Times are CPU
time of the thread: a decision waits for nothing, so this is what it takes on a machine that has nothing else to do.

Warm: the class of the request was seen before; every request differs in length, complexity, deadline and budget, and
none is a repetition. New state: the same after every measurement of the system's state has changed. New class: rules,
registry and state are known, the kind of request is not (another data class: policies are evaluated for it). Cold:
the first decision of a new engine, policies parsed and evaluated.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from benchmarks.report import Row, as_json, show
from benchmarks.timing import Timings
from provider_router.adapters.policy_evaluator_cedar import CedarPolicyEvaluator
from provider_router.adapters.yaml_file.rules_reader import read_platform_rules
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.domain.contracts.contract import (
    Capabilities,
    Contract,
    DataClass,
    Guarantees,
    Operation,
    Price,
    Privacy,
    Quality,
    Rates,
)
from provider_router.domain.contracts.contract_document import registry_digest
from provider_router.domain.contracts.provider import ProviderSpec, ProviderType
from provider_router.domain.contracts.service import RegistrySnapshot, Service
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.route_request import Caller, Estimate, RouteRequest
from provider_router.domain.decisions.service_state import Measured, ServiceState, SystemState
from provider_router.domain.decisions.state_document import system_state
from provider_router.domain.decisions.world import World
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.rulebook.rules import RuleSet

RULES = Path(__file__).resolve().parent.parent / "config" / "routing" / "platform.yaml"
SIZES = {10: 50.0, 100: 300.0, 1_000: 3_000.0}
"""Services, and the median that a decision may take in microseconds."""
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WARM_CALLS = 2_000
LIMIT_S = 6.0
COLD_CALLS = 7


def measure() -> list[Row]:
    """Return the timings for every size, in microseconds."""
    rules = read_platform_rules(SourceFile(RULES.name, RULES.read_bytes()))
    rows: list[Row] = []
    for size, target in SIZES.items():
        world = _world(size, rules)
        rows += _rows(f"decision, {size} services, warm", _warm(world), target)
        rows += _rows(f"decision, {size} services, new state", _new_state(world))
        rows += _rows(f"decision, {size} services, new class", _new_class(world))
        rows += _rows(f"decision, {size} services, cold", _cold(world))
    return rows


def _rows(name: str, found: Timings, target: float | None = None) -> list[Row]:
    return [Row(f"{name}, p50", found.p50, "us", target), Row(f"{name}, p99", found.percentile(99), "us")]


def _warm(world: World) -> Timings:
    engine = _engine()
    requests = _requests()
    for _ in range(20):
        _decide(engine, world, next(requests))
    return _timed(lambda: _decide(engine, world, next(requests)), WARM_CALLS)


def _new_state(world: World) -> Timings:
    engine, requests = _engine(), _requests()
    _decide(engine, world, next(requests))
    worlds = iter([replace(world, state=_state(world, calls)) for calls in range(COLD_CALLS)])
    return _timed(lambda: _decide(engine, next(worlds), next(requests)), COLD_CALLS)


def _new_class(world: World) -> Timings:
    engine, requests = _engine(), _requests()
    _decide(engine, world, next(requests))
    classes = iter([DataClass.CONFIDENTIAL, DataClass.PUBLIC])
    return _timed(lambda: _decide(engine, world, replace(next(requests), data_class=next(classes))), 2)


def _cold(world: World) -> Timings:
    requests = _requests()
    return _timed(lambda: _decide(_engine(), world, next(requests)), COLD_CALLS)


def _timed(decide: Callable[[], Decision], count: int) -> Timings:
    found: list[float] = []
    deadline = time.perf_counter() + LIMIT_S
    while len(found) < count and time.perf_counter() < deadline:
        began = time.thread_time_ns()
        decision = decide()
        found.append((time.thread_time_ns() - began) / 1_000)
        if not decision.choice:
            raise RuntimeError("no service was chosen, so nothing was measured")
    return Timings(found)


def _engine() -> DecisionEngine:
    return DecisionEngine(CedarPolicyEvaluator().verdicts)


def _decide(engine: DecisionEngine, world: World, request: RouteRequest) -> Decision:
    return engine.decide(world, request, NOW)


def _requests() -> Iterator[RouteRequest]:
    """Requests of one class, no two of them alike."""
    number = 0
    caller = Caller("organisation", "user", "key", ("owner",))
    while True:
        number += 1
        yield RouteRequest(
            caller,
            input_tokens=500 + number,
            output_tokens=300 + number % 97,
            payload_bytes=2_000 + 4 * number,
            budget_left_micro_usd=500_000_000 - number,
            deadline_ms=29_990 - number % 1_000,
            estimate=Estimate("code", 820_000, number * 7_919 % 1_000_000, "features/1"),
        )


def _world(size: int, rules: RuleSet) -> World:
    contracts = sorted((_contract(number) for number in range(size)), key=lambda each: each.name)
    specs = {each.provider: ProviderSpec(each.provider, ProviderType.OPENAI_COMPATIBLE, ()) for each in contracts}
    services = {each.name: Service(each, specs[each.provider]) for each in contracts}
    world = World(RegistrySnapshot(services, specs, digest=registry_digest(contracts)), rules, system_state({}))
    return replace(world, state=_state(world, 50))


def _contract(number: int) -> Contract:
    rates = Rates(100_000 + 37_000 * (number % 83), 400_000 + 190_000 * (number % 83))
    return Contract(
        f"provider-{number % 9}/model-{number:04}",
        Capabilities(
            frozenset({Operation.CHAT}),
            tool_calling=number % 4 > 0,
            json_schema=True,
            context_length=128_000,
            max_output_tokens=16_000,
        ),
        guarantees=Guarantees(300 + number % 900, 1_200 + number % 3_000, 40 + number % 60, 999_000),
        privacy=Privacy(DataClass.CONFIDENTIAL, frozenset({"eu"}), 30, trains_on_data=False, encrypted=True),
        prices=(Price(date(2026, 1, 1), rates),),
        quality=Quality(350_000 + 7_000 * (number % 83), {"code": 400_000 + 6_500 * (number % 83)}),
        traits={"reasoning": number % 3 == 0},
    )


def _state(world: World, calls: int) -> SystemState:
    return system_state(
        {
            name: ServiceState(measured=Measured(10 + calls, 998_000, 400, 1_500, 55), load_ppm=100_000)
            for name in world.registry.services
        }
    )


def main() -> None:
    """Measure and print."""
    rows = measure()
    show(rows)
    print(json.dumps(as_json(rows)))


if __name__ == "__main__":
    main()
