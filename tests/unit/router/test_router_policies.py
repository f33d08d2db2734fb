"""What Cedar policies of the platform and of an organisation say together."""

from __future__ import annotations

from datetime import date

import pytest
from router_fakes import price_of, service_of, snapshot_of
from router_strategies import rules_of

from provider_router.adapters.cedar.policy import ANY_FACT, Layer, policies_in
from provider_router.adapters.policy_evaluator_cedar import CedarPolicyEvaluator
from provider_router.domain.contracts.contract import DataClass, Privacy
from provider_router.domain.decisions.decision import Rejected
from provider_router.domain.decisions.route_request import Caller, Estimate, RouteRequest
from provider_router.domain.rulebook.policy import FEATURES, no_policies, question_of

HOME = service_of("home/m", privacy=Privacy(on_premises=True), traits={"reasoning": True, "size": 7})
AWAY = service_of("away/m", tags=frozenset({"frontier"}), prices=price_of(1_000_000, 8_000_000))
SNAPSHOT = snapshot_of(HOME, AWAY)
DAY = date(2026, 11, 20)
FORBID_AWAY = '@id("home") @overridable("true") forbid (principal, action, resource) when { !resource.on_premises };'
LIFT = '@id("ours") @overrides("home") permit (principal, action, resource == Service::"away/m");'


def verdicts(platform: str, organisation: str = "", **fields: object) -> dict[str, str]:
    """Refused services with what is said of them."""
    request = RouteRequest(**{"caller": Caller("acme", "ada", roles=("admin",)), **fields})
    rules = rules_of(platform, organisation)
    question = question_of(request, request.tier or "balanced", DAY, rules.policy_reads)
    refused = CedarPolicyEvaluator().verdicts(SNAPSHOT, rules, question)
    return {name: f"{each.reason}: {each.detail}" for name, each in refused.items()}


def test_without_policies_everything_is_permitted() -> None:
    assert verdicts("", "") == {}


def test_a_forbid_of_the_platform_names_itself() -> None:
    assert verdicts(FORBID_AWAY) == {"away/m": "FORBIDDEN_BY_RULE: platform: home"}


def test_an_organisation_lifts_an_overridable_forbid_for_what_it_names() -> None:
    assert verdicts(FORBID_AWAY, LIFT) == {}
    other = LIFT.replace("away/m", "home/m")
    assert verdicts(FORBID_AWAY, other) == {"away/m": "FORBIDDEN_BY_RULE: platform: home"}


def test_a_permit_that_does_not_say_what_it_overrides_lifts_nothing() -> None:
    plain = '@id("ours") permit (principal, action, resource);'
    assert verdicts(FORBID_AWAY, plain) == {"away/m": "FORBIDDEN_BY_RULE: platform: home"}


def test_an_organisation_cannot_lift_what_is_not_overridable() -> None:
    # Such rules are refused when they are loaded; if they came from elsewhere, they would still not work.
    firm = FORBID_AWAY.replace('@overridable("true") ', "")
    assert verdicts(firm, LIFT) == {"away/m": "FORBIDDEN_BY_RULE: platform: home"}


def test_an_organisation_forbids_more_and_both_are_named() -> None:
    more = '@id("none") forbid (principal, action, resource);'
    assert verdicts(FORBID_AWAY, more) == {
        "away/m": "FORBIDDEN_BY_RULE: organisation: none, platform: home",
        "home/m": "FORBIDDEN_BY_RULE: organisation: none",
    }
    assert verdicts(FORBID_AWAY, f"{LIFT}\n{more}")["away/m"] == "FORBIDDEN_BY_RULE: organisation: none"


def test_a_layer_with_a_permit_permits_nothing_else() -> None:
    only_home = '@id("home-only") permit (principal, action, resource) when { resource.on_premises };'
    platform = {"away/m": "NOT_PERMITTED_BY_RULE: no permit of the platform applies"}
    assert verdicts(only_home) == platform
    assert verdicts("", only_home) == {"away/m": "NOT_PERMITTED_BY_RULE: no permit of the organisation applies"}
    assert verdicts(only_home, '@id("all") permit (principal, action, resource);') == platform
    # A permit that only lifts a forbid closes nothing.
    assert verdicts(FORBID_AWAY, LIFT) == {}


def test_a_policy_that_cannot_be_evaluated_forbids() -> None:
    overflow = '@id("x") forbid (principal, action, resource) when { resource.quality_ppm * 9000000000000000000 > 0 };'
    assert set(verdicts(overflow).values()) == {"FORBIDDEN_BY_RULE: a policy could not be evaluated"}


@pytest.mark.parametrize(
    ("condition", "refused"),
    [
        ('principal in Group::"admin"', {"away/m", "home/m"}),
        ('principal in Group::"viewer"', set()),
        ('principal == User::"ada"', {"away/m", "home/m"}),
        ('principal in Organisation::"acme"', {"away/m", "home/m"}),
        ('principal in Organisation::"other"', set()),
        ('resource in Provider::"away"', {"away/m"}),
        ('resource.tags.contains("frontier")', {"away/m"}),
        ('resource.hasTag("reasoning") && resource.getTag("reasoning") == "true"', {"home/m"}),
        ('resource.hasTag("size") && resource.getTag("size") == "7"', {"home/m"}),
        ("resource has output_micro_usd && resource.output_micro_usd > 5000000", {"away/m"}),
        ('resource.model == "m" && resource.operations.contains("chat")', {"away/m", "home/m"}),
        ('context.data_level == 2 && context.data_class == "confidential"', {"away/m", "home/m"}),
        ('context.tier == "fast"', set()),
        ('context.task_class == "code" && context.complexity == 7', {"away/m", "home/m"}),
        ('context.needs_tools || context.operation != "chat"', set()),
    ],
)
def test_what_policies_can_read(condition: str, refused: set[str]) -> None:
    text = f'@id("p") forbid (principal, action == Action::"route", resource) when {{ {condition} }};'
    fields = {"data_class": DataClass.CONFIDENTIAL, "estimate": Estimate("code", 0, 799_999)}
    assert set(verdicts(text, **fields)) == refused


@pytest.mark.parametrize(
    ("policy", "reads"),
    [
        ("permit (principal, action, resource);", set()),
        ('permit (principal == User::"ada", action, resource);', {"user"}),
        ('permit (principal in Group::"admin", action, resource);', {"roles"}),
        ('permit (principal is User in Group::"admin", action, resource);', {"roles"}),
        ('permit (principal in Organisation::"acme", action, resource);', set()),
        ('permit (principal, action, resource) when { principal in Group::"admin" };', {"roles", "user"}),
        ("permit (principal, action, resource) when { context.data_level > 1 };", {"data_class"}),
        ('permit (principal, action, resource) when { context has tier && context["tier"] == "a" };', {"tier"}),
        ('permit (principal, action, resource) unless { [context.task_class].contains("a") };', {"task_class"}),
        ("permit (principal, action, resource) when { if context.needs_tools then true else false };", {"needs_tools"}),
    ],
)
def test_what_a_policy_reads_is_known(policy: str, reads: set[str]) -> None:
    found = policies_in(f'@id("p") {policy}', Layer.PLATFORM)[0]
    assert found.reads == reads
    assert found.reads <= set(FEATURES)


def test_what_is_not_read_does_not_make_another_question() -> None:
    one, other = (
        RouteRequest(Caller("acme", user, roles=roles), tier=tier, estimate=Estimate("code", 0, complexity))
        for user, roles, tier, complexity in (("ada", ("admin",), "fast", 0), ("bob", (), "deep", 10**6))
    )
    questions = [question_of(each, each.tier, DAY, frozenset({"data_class"})) for each in (one, other)]
    assert questions[0] == questions[1]
    assert question_of(one, "fast", DAY, frozenset(FEATURES)) != question_of(other, "deep", DAY, frozenset(FEATURES))


def test_prices_are_those_of_the_day() -> None:
    dear = '@id("dear") forbid (principal, action, resource) when { resource has input_micro_usd };'
    rules, request = rules_of(dear), RouteRequest(Caller("acme", "ada"))
    evaluator = CedarPolicyEvaluator()
    for day, refused in ((date(2019, 1, 1), set()), (DAY, {"away/m"}), (date(2019, 1, 1), set())):
        found = evaluator.verdicts(SNAPSHOT, rules, question_of(request, "fast", day, rules.policy_reads))
        assert set(found) == refused


def test_an_engine_without_an_evaluator_does_not_pass_over_policies() -> None:
    rules = rules_of(FORBID_AWAY)
    question = question_of(RouteRequest(Caller("acme", "ada")), "fast", DAY, rules.policy_reads)
    with pytest.raises(ValueError, match="nobody to evaluate"):
        no_policies(SNAPSHOT, rules, question)
    assert no_policies(SNAPSHOT, rules_of(), question) == {}


def test_what_was_parsed_is_kept_within_bounds() -> None:
    evaluator = CedarPolicyEvaluator()
    request = RouteRequest(Caller("acme", "ada"))
    for number in range(70):
        rules = rules_of(f'@id("p{number}") forbid (principal, action, resource) when {{ resource.on_premises }};')
        question = question_of(request, "fast", DAY, rules.policy_reads)
        for snapshot in (SNAPSHOT, snapshot_of(HOME)):
            refused = evaluator.verdicts(snapshot, rules, question)
            assert refused["home/m"].reason is Rejected.FORBIDDEN_BY_RULE
            assert refused["home/m"].detail == f"platform: p{number}"
    assert len(evaluator._compiled) <= 64
    assert len(evaluator._fields) <= 8


@pytest.mark.parametrize(
    ("condition", "facts"),
    [
        ("resource.on_premises && resource.tags.contains(context.tier)", {"on_premises", "tags"}),
        ("resource has retention_days && resource.retention_days > 3", {"retention_days"}),
        ('resource.hasTag("size") && resource.getTag("size") == "7"', {"#size"}),
        ("resource.hasTag(context.tier)", {ANY_FACT}),
        ('resource == Service::"away/m"', {ANY_FACT}),
        ('resource in Provider::"away"', {ANY_FACT, "provider"}),
        ("true", set()),
    ],
)
def test_what_a_policy_reads_of_a_service_is_known(condition: str, facts: set[str]) -> None:
    text = f'@id("p") forbid (principal, action, resource) when {{ {condition} }};'
    assert policies_in(text, Layer.PLATFORM)[0].facts == facts


def test_services_that_are_alike_are_asked_about_once_and_answered_alike() -> None:
    services = [
        service_of(f"one/m{number}", privacy=Privacy(on_premises=number % 3 == 0, trains_on_data=number % 2 == 0))
        for number in range(12)
    ]
    text = '@id("p") forbid (principal, action, resource) when { resource.on_premises && !resource.trains_on_data };'
    by_name = text.replace("when {", 'when { resource != Service::"none" &&')
    snapshot, found = snapshot_of(*services), []
    for policy in (text, by_name):
        rules = rules_of(policy)
        question = question_of(RouteRequest(Caller("acme", "ada")), "fast", DAY, rules.policy_reads)
        found.append(CedarPolicyEvaluator().verdicts(snapshot, rules, question))
    assert found[0] == found[1]
    assert set(found[0]) == {"one/m3", "one/m9"}
