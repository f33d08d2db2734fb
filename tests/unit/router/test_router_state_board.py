"""The board: what shows at once, what within a second, and what not at all."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY
from router_decision_fakes import FakeRuleBook
from router_fakes import FakeCredentials, FakeRegistry, FakeRewards, provider_spec, service_of, snapshot_of

from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.adapters.state_board_memory import MemoryStateBoard
from provider_router.domain.contracts.contract import DataClass, Guarantees, Quality
from provider_router.domain.contracts.provider import Deployment
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.route_request import Caller, RouteRequest
from provider_router.domain.decisions.service_state import FRESH, Reward, SystemState
from provider_router.domain.decisions.state_document import system_state
from provider_router.domain.decisions.world import World
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.lease import CallReport, Lease
from shared.circuit_breaker import Breaker
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


def counted(service: str, promise: str) -> float:
    labels = {"service": service, "promise": promise}
    return REGISTRY.get_sample_value("nexus_router_promises_broken_total", labels) or 0.0


def test_a_promise_of_availability_that_an_outage_broke_demotes_until_it_is_over_and_is_told_on() -> None:
    service = service_of("steady/m", guarantees=Guarantees(availability_ppm=999_000))
    board = Board(service)
    # One that was not kept before the outage is no reason to go on demoting either.
    board.call(service, DOWN)
    board.call(service, GOOD, 100)
    board.clock.advance(60)
    board.call(service, GOOD)
    board.call(service, DOWN, 5)
    board.clock.advance(1)
    assert board.state().of("steady/m").broken_promises == ("availability_ppm",)
    board.deployments.probed(board.deployments.berths_of(service), None, is_there=True)
    board.clock.advance(1)
    back = board.state().of("steady/m")
    assert (back.broken_promises, back.measured.success_ppm) == ((), 990_200)
    # Whoever looks at the deployment still sees what it did, and it was counted once.
    (status,) = board.deployments.statuses(board.registry.snapshot)
    assert (status.broken_promises, status.measured.success_ppm) == (("availability_ppm",), 943_925)
    assert counted("steady/m", "availability_ppm") == 1


def test_a_broken_promise_is_counted_also_when_the_outage_is_over_before_it_was_looked_at() -> None:
    service = service_of("brief/m", guarantees=Guarantees(availability_ppm=999_000))
    board = Board(service)
    board.call(service, GOOD, 50)
    board.state()
    board.call(service, DOWN, 5)
    board.deployments.probed(board.deployments.berths_of(service), None, is_there=True)
    board.clock.advance(1)
    assert board.state().of("brief/m").broken_promises == ()
    assert counted("brief/m", "availability_ppm") == 1


def test_what_promises_availability_is_chosen_again_once_its_outage_is_over() -> None:
    promised = Guarantees(availability_ppm=999_000)
    best = service_of("a/m", guarantees=promised, quality=Quality(800_000))
    rival = service_of("b/m", guarantees=promised, quality=Quality(790_000))
    board = Board(best, rival)
    rules = FakeRuleBook().rules

    def chosen() -> str:
        world = World(board.registry.snapshot, rules, board.state())
        request = RouteRequest(Caller("org", "u"), data_class=DataClass.PUBLIC)
        return DecisionEngine().decide(world, request, board.clock.now()).choice

    for service in (best, rival):
        board.call(service, GOOD, 40)
    assert chosen() == "a/m"
    board.call(best, DOWN, 5)
    board.clock.advance(1)
    assert chosen() == "b/m"
    board.deployments.probed(board.deployments.berths_of(best), None, is_there=True)
    board.clock.advance(1)
    assert chosen() == "a/m"


def test_one_that_was_never_called_and_does_not_answer_probes_is_demoted_and_may_be_called() -> None:
    service = service_of("a/m")
    board = Board(service)
    berths = board.deployments.berths_of(service)
    assert board.state().of("a/m") is FRESH
    board.deployments.probed(berths, Reason.PROVIDER_UNREACHABLE, is_there=False)
    assert board.state().of("a/m").breaker is Breaker.HALF_OPEN
    lease = board.deployments.acquire(service)
    assert isinstance(lease, Lease)
    board.deployments.release(lease, UNSAID)
    board.deployments.probed(berths, None, is_there=True)
    assert board.state().services == {}
    # What a call says counts for more.
    board.deployments.probed(berths, Reason.PROVIDER_UNREACHABLE, is_there=False)
    board.call(service, GOOD)
    board.clock.advance(1)
    assert board.state().of("a/m").breaker is Breaker.CLOSED


def test_a_key_that_was_refused_is_another_thing_than_one_that_is_not_there() -> None:
    service = service_of("a/m", provider=provider_spec("a", key_envs=("KEY",)))
    board = Board(service, KEY="k")
    board.call(service, CallReport(Reason.PROVIDER_REFUSED_KEY))
    state = board.state().of("a/m")
    assert (state.configured, state.keys_refused) == (False, True)
    missing = Board(service).state().of("a/m")
    assert (missing.configured, missing.keys_refused) == (False, False)


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

    board.call(service, GOOD, 25)
    for _ in range(5):
        assert board.state().of("promise/m").broken_promises == ("first_token_p95_ms",)
        board.clock.advance(1)
    assert counted("promise/m", "first_token_p95_ms") == 1
    board.clock.advance(600)
    assert board.state().of("promise/m") is FRESH
    board.call(service, GOOD, 25)
    board.clock.advance(1)
    board.state()
    assert counted("promise/m", "first_token_p95_ms") == 2


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
