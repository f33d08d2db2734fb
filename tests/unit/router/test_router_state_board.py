"""The board: what shows at once, what within a second, and what not at all."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY
from router_fakes import FakeCredentials, FakeRegistry, FakeRewards, provider_spec, service_of, snapshot_of

from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.adapters.state_board_memory import MemoryStateBoard
from provider_router.domain.contracts.contract import Guarantees
from provider_router.domain.contracts.provider import Deployment
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.service_state import FRESH, Breaker, Reward, SystemState
from provider_router.domain.decisions.state_document import system_state
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.lease import CallReport
from shared.testing.fakes import FakeClock

GOOD = CallReport(first_token_ms=1234, output_tokens=101, duration_ms=2234)
DOWN = CallReport(Reason.PROVIDER_TIMEOUT)
UNSAID = CallReport(finished=False)
LIMITED = CallReport(Reason.PROVIDER_RATE_LIMITED, retry_after_s=0.5)


class Board:
    def __init__(self, *services: Service, **keys: str) -> None:
        self.clock = FakeClock()
        self.registry = FakeRegistry(snapshot_of(*services))
        self.rewards = FakeRewards()
        self.deployments = MemoryDeployments(FakeCredentials(**keys), self.clock, lambda: 0.0)
        self.board = MemoryStateBoard(self.registry, self.deployments, self.rewards, self.clock)

    def call(self, service: Service, report: CallReport, times: int = 1) -> None:
        for _ in range(times):
            self.deployments.release(self.deployments.acquire(service), report)

    def state(self, org_id: str = "org") -> SystemState:
        return self.board.current(org_id)


def test_services_of_which_nothing_is_known_do_not_stand_in_it() -> None:
    board = Board(service_of("a/m"))
    assert board.state().services == {}
    assert board.state().of("a/m") is FRESH


def test_a_service_without_its_key_is_not_configured() -> None:
    keyed = service_of("a/m", provider=provider_spec("a", key_envs=("KEY",)))
    assert Board(keyed).state().of("a/m").configured is False
    assert Board(keyed, KEY="k").state().services == {}


def test_it_is_the_same_object_while_nothing_changes() -> None:
    service = service_of("a/m")
    board = Board(service)
    board.call(service, GOOD, 12)
    first = board.state()
    for _ in range(20):
        board.clock.advance(0.7)
        assert board.state("another") is first
    # One more call, and the window still rounds to the same.
    board.call(service, GOOD, 3)
    board.clock.advance(1)
    assert board.state() is first
    # Another snapshot of the same services is no change of their state.
    board.registry.snapshot = snapshot_of(service)
    assert board.state() is first


def test_a_breaker_shows_at_once_and_the_end_of_its_time_too() -> None:
    service = service_of("a/m")
    board = Board(service)
    board.state()
    board.call(service, DOWN, 5)
    assert board.state().of("a/m").breaker is Breaker.OPEN
    board.clock.advance(4.9)
    assert board.state().of("a/m").breaker is Breaker.OPEN
    board.clock.advance(0.1)
    # It waits for its trial, so that it is to be called like any other: half open while the trial is under way.
    assert board.state().of("a/m").breaker is Breaker.CLOSED
    trial = board.deployments.acquire(service)
    assert board.state().of("a/m").breaker is Breaker.HALF_OPEN
    board.deployments.release(trial, UNSAID)
    assert board.state().of("a/m").breaker is Breaker.CLOSED
    board.call(service, GOOD)
    assert board.state().of("a/m").breaker is Breaker.CLOSED


def test_outages_that_are_over_are_shown_and_not_held_against_it_until_there_are_too_many() -> None:
    service = service_of("a/m")
    board = Board(service)
    shares = []
    for _ in range(4):
        board.call(service, GOOD, 3)
        board.call(service, DOWN, 5)
        board.clock.advance(30)
        board.call(service, DOWN)
        board.clock.advance(30)
        board.call(service, GOOD)
        board.clock.advance(1)
        shares.append(board.state().of("a/m").measured.success_ppm)
    assert shares[:3] == [1_000_000] * 3
    assert shares[3] < 750_000
    assert board.deployments.measured_of(service).calls == 40


def test_what_probes_say_of_an_outage_decides_whether_the_trial_goes_there() -> None:
    service = service_of("a/m")
    board = Board(service)
    board.call(service, GOOD, 3)
    board.call(service, DOWN, 5)
    board.clock.advance(5)
    berths = board.deployments.berths_of(service)
    board.deployments.probed(berths, Reason.PROVIDER_TIMEOUT, is_there=False)
    away = board.state().of("a/m")
    assert (away.breaker, away.measured.success_ppm) == (Breaker.HALF_OPEN, 380_000)
    board.deployments.probed(berths, None, is_there=True)
    assert board.state().of("a/m").breaker is Breaker.CLOSED
    board.clock.advance(1)
    assert board.state().of("a/m").measured.success_ppm == 1_000_000
    # All of it is shown still.
    assert board.deployments.measured_of(service).success_ppm == 375_000


def test_measurements_show_within_a_second_and_not_more_often() -> None:
    service = service_of("a/m")
    board = Board(service)
    before = board.state()
    board.call(service, GOOD, 3)
    board.clock.advance(0.5)
    board.call(service, DOWN, 5)
    opened = board.state()
    # The breaker is there at once, the measurements of that second are not.
    assert opened.of("a/m").breaker is Breaker.OPEN
    assert opened.of("a/m").measured == before.of("a/m").measured
    board.clock.advance(0.5)
    measured = board.state().of("a/m").measured
    assert (measured.calls, measured.success_ppm) == (8, 380_000)
    assert (measured.first_token_p50_ms, measured.tokens_per_second) == (1200, 100)


def test_a_cooling_service_is_shown_until_its_time_is_over() -> None:
    service = service_of("a/m")
    board = Board(service)
    board.call(service, LIMITED)
    assert board.state().of("a/m").cooling is True
    board.clock.advance(0.5)
    assert board.state().of("a/m").cooling is False


def test_the_best_deployment_counts() -> None:
    places = tuple(Deployment(name, f"http://{name}.test/v1", f"http://{name}.test/v1") for name in "xy")
    service = service_of("a/m", provider=provider_spec("a", deployments=places))
    board = Board(service)
    targets = service.provider.targets()
    for tried in ([targets[0]], [targets[1]]):
        assert board.state().of("a/m").breaker is Breaker.CLOSED
        for _ in range(5):
            board.deployments.release(board.deployments.acquire(service, tried), DOWN)
    assert board.state().of("a/m").breaker is Breaker.OPEN


def test_load_shows_in_tenths_where_places_are_limited() -> None:
    place = Deployment("x", "http://x.test/v1", "http://x.test/v1", max_in_flight=8)
    service = service_of("a/m", provider=provider_spec("a", deployments=(place,)))
    board = Board(service)
    for _ in range(3):
        board.deployments.acquire(service)
    assert board.state().of("a/m").load_ppm == 300_000


def test_a_broken_promise_demotes_is_counted_once_and_ends_with_the_measurement() -> None:
    service = service_of("promise/m", guarantees=Guarantees(first_token_p95_ms=500))
    board = Board(service)

    def count() -> float:
        labels = {"service": "promise/m", "promise": "first_token_p95_ms"}
        return REGISTRY.get_sample_value("nexus_router_promises_broken_total", labels) or 0.0

    board.call(service, GOOD, 25)
    for _ in range(5):
        assert board.state().of("promise/m").broken_promises == ("first_token_p95_ms",)
        board.clock.advance(1)
    assert count() == 1
    board.clock.advance(600)
    assert board.state().of("promise/m") is FRESH
    board.call(service, GOOD, 25)
    board.clock.advance(1)
    board.state()
    assert count() == 2


def test_services_that_organisations_registered_share_one_label_of_broken_promises() -> None:
    names = [f"own/m{number}" for number in range(3)]
    promised = Guarantees(first_token_p95_ms=500)
    services = [service_of(name, guarantees=promised, org_id="org") for name in names]
    board = Board(*services)

    def count(service: str) -> float | None:
        labels = {"service": service, "promise": "first_token_p95_ms"}
        return REGISTRY.get_sample_value("nexus_router_promises_broken_total", labels)

    before = count("registered") or 0.0
    for service in services:
        board.call(service, GOOD, 25)
    board.state("org")
    assert count("registered") == before + 3
    assert [count(name) for name in names] == [None] * 3


async def test_rewards_are_those_of_the_organisation() -> None:
    service = service_of("a/m")
    board = Board(service)
    await board.rewards.add("org", "d1", "a/m", "code", 700_000)
    await board.rewards.add("org", "d2", "vanished/m", "code", 700_000)
    state = board.state("org")
    assert state.of("a/m").rewards == {"code": Reward(1, 700_000)}
    assert set(state.services) == {"a/m"}
    assert board.state("org") is state
    assert board.state("another").services == {}
    # A breaker shows at once beside them, further rewards within a second.
    await board.rewards.add("org", "d3", "a/m", "code", 100_000)
    assert board.state("org") is state
    board.call(service, DOWN, 5)
    assert board.state("org").of("a/m").breaker is Breaker.OPEN
    board.clock.advance(1)
    assert board.state("org").of("a/m").rewards == {"code": Reward(2, 800_000)}


@pytest.mark.parametrize("org_id", ["org", "another"])
async def test_the_digest_is_that_of_what_it_holds(org_id: str) -> None:
    service = service_of("a/m")
    board = Board(service)
    await board.rewards.add("org", "d1", "a/m", "code", 700_000)
    board.call(service, DOWN, 5)
    state = board.state(org_id)
    assert state.digest == system_state(state.services).digest


def test_an_organisation_sees_the_state_of_its_own_services_alone() -> None:
    shared, private = service_of("a/m"), service_of("secret/m")
    board = Board(shared, private)
    for service in (shared, private):
        board.call(service, DOWN, 5)
    whole, files = board.registry.snapshot, snapshot_of(shared)
    board.registry.current = lambda org_id="": whole if org_id == "owner" else files
    assert set(board.state("owner").services) == {"a/m", "secret/m"}
    assert set(board.state("another").services) == {"a/m"}
    assert board.state("another") is board.state("third")


async def test_organisations_that_are_not_heard_of_again_give_way() -> None:
    board = Board(service_of("a/m"))
    for index in range(300):
        await board.rewards.add(f"org{index}", "d", "a/m", "code", 1)
        board.state(f"org{index}")
    assert len(board.board._views) == 256
