"""Two organisations that registered contracts of one name do not feel each other."""

from __future__ import annotations

from datetime import date

from router_fakes import FakeCredentials, FakeRewards, provider_spec, service_of, snapshot_of

from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.adapters.policy_evaluator_cedar import CedarPolicyEvaluator
from provider_router.adapters.rules_parser_yaml import YamlRulesParser
from provider_router.adapters.state_board_memory import MemoryStateBoard
from provider_router.domain.contracts.contract import Constraints, Guarantees
from provider_router.domain.contracts.service import RegistrySnapshot, Service
from provider_router.domain.decisions.route_request import Caller, RouteRequest
from provider_router.domain.money.provider_charges import provider_charges
from provider_router.domain.rulebook.policy import question_of
from provider_router.domain.traffic.lease import CallReport
from shared.testing.fakes import FakeClock


def limited(org_id: str, per_minute: int = 10) -> Service:
    constraints = Constraints(requests_per_minute=per_minute, tokens_per_minute=per_minute)
    return service_of("one/own", provider=provider_spec("one"), org_id=org_id, constraints=constraints)


def buckets(service: Service) -> set[str]:
    (deployment,) = service.provider.deployments
    return {charge.bucket.name for charge in provider_charges(service, deployment, 5)}


def test_the_limits_of_their_contracts_are_their_own() -> None:
    assert buckets(limited("acme")).isdisjoint(buckets(limited("evil", 1)))
    assert buckets(limited("acme")).isdisjoint(buckets(limited("")))
    assert len(buckets(limited(""))) == 2


def test_the_platform_can_tell_what_an_organisation_wrote() -> None:
    policy = '@id("own") forbid(principal, action, resource) when { resource.registered };'
    rules = YamlRulesParser().parse(f"version: 1\npolicies: |\n  {policy}\n")
    filed, own = service_of("one/m"), service_of("one/own", org_id="acme", owner="OpenAI", tags=frozenset({"safe"}))
    question = question_of(RouteRequest(Caller("acme", "ada")), "fast", date(2026, 11, 20), rules.policy_reads)
    assert set(CedarPolicyEvaluator().verdicts(snapshot_of(filed, own), rules, question)) == {"one/own"}


class Views:
    """Each organisation sees its own; together stands the one of them that promises most."""

    def __init__(self, **own: Service) -> None:
        self.own = {org_id: snapshot_of(service) for org_id, service in own.items()}
        self.files = snapshot_of()

    def current(self, org_id: str = "") -> RegistrySnapshot:
        return self.own.get(org_id, self.files)

    def everything(self) -> RegistrySnapshot:
        return list(self.own.values())[-1]


def test_nobody_breaks_promises_that_another_organisation_made() -> None:
    modest = service_of("one/own", org_id="acme", guarantees=Guarantees(first_token_p50_ms=2_000))
    absurd = service_of("one/own", org_id="evil", guarantees=Guarantees(first_token_p50_ms=1))
    clock = FakeClock()
    deployments = MemoryDeployments(FakeCredentials(), clock, lambda: 0.0)
    board = MemoryStateBoard(Views(acme=modest, evil=absurd), deployments, FakeRewards(), clock)
    for _ in range(50):
        deployments.release(deployments.acquire(modest), CallReport(first_token_ms=500, duration_ms=900))
    assert board.current("evil").of("one/own").broken_promises == ("first_token_p50_ms",)
    assert board.current("acme").of("one/own").broken_promises == ()
