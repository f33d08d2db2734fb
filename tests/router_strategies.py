"""Generated worlds, requests and moments for tests of decisions.

Vocabularies are small and numbers come from few magnitudes, so that generated things meet: constraints remove some
services and leave others, prices tie, prompts come near limits. Hypothesis draws how many there are of each, and a seed
for each of them: that is fast enough for thousands of cases, and a failing world still shrinks to few services.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

from provider_router.adapters.cedar.policy import Layer, policies_in
from provider_router.domain.contracts.contract import (
    PPM,
    Capabilities,
    Constraints,
    Contract,
    DataClass,
    Guarantees,
    Modality,
    Operation,
    Price,
    Privacy,
    Quality,
    Rates,
    TimeWindow,
)
from provider_router.domain.contracts.contract_document import registry_digest
from provider_router.domain.contracts.provider import ProviderSpec, ProviderType
from provider_router.domain.contracts.service import RegistrySnapshot, Service
from provider_router.domain.decisions.route_request import Caller, Comparison, Estimate, RouteRequest, TraitConstraint
from provider_router.domain.decisions.service_state import Measured, Reward, ServiceState
from provider_router.domain.decisions.state_document import system_state
from provider_router.domain.decisions.world import World
from provider_router.domain.rulebook.rules import Preference, Requirement, RuleSet, Services, Tier, Weights, When
from provider_router.domain.rulebook.rules_document import with_digest
from provider_router.domain.rulebook.tiers import BUILT_IN
from shared.circuit_breaker import Breaker

T = TypeVar("T")
ORG = "org-a"
NAMES = [f"{provider}/{model}" for provider in ("ada", "bob", "cyd") for model in ("large", "mini", "small")]
TASKS = ["general", "code", "math"]
TIERS = [*BUILT_IN, "odd"]
ROLES = ["viewer", "admin"]
REGIONS = ["eu", "us"]
TRAITS = {
    "reasoning": [True, False],
    "size": [0, 1, 2, 3],
    "family": ["x", "y"],
    "temperature": [True, False, False],
    "stop": [False],
}
PLATFORM_POLICIES = [
    (
        '@id("home") @overridable("true")\nforbid (principal, action, resource)\n'
        'when { context.data_class == "restricted" && !resource.on_premises };'
    ),
    (
        '@id("no-training") forbid (principal, action, resource)\n'
        "when { resource.trains_on_data && context.data_level >= 1 };"
    ),
    (
        '// only admins; may use "bob"\n@id("bob-for-admins") forbid (principal, action, resource in Provider::"bob")\n'
        'unless { principal in Group::"admin" };'
    ),
    (
        '@id("easy-is-cheap") @overridable("true")\nforbid (principal, action, resource)\n'
        "when { context.complexity < 5 && resource has output_micro_usd && resource.output_micro_usd > 5000000 };"
    ),
    '@id("chosen") permit (principal, action, resource) when { resource.tags.contains("chosen") };',
]
ORG_POLICIES = [
    '@id("we-may") @overrides("home") permit (principal == User::"u-1", action, resource);',
    '@id("no-cyd") forbid (principal, action, resource in Provider::"cyd") when { context.tier == "fast" };',
    (
        '@id("reasoning-only") permit (principal, action, resource)\n'
        'when { resource.hasTag("reasoning") && resource.getTag("reasoning") == "true" };'
    ),
    # Overflows for long contexts, and so forbids.
    (
        '@id("overflow") forbid (principal, action, resource)\n'
        "when { resource.context_length * 9000000000000000000 > 0 && context.needs_tools };"
    ),
]


def _seldom(rnd: Random, usual: Sequence[T], rare: Sequence[T], one_in: int = 8) -> T:
    return rnd.choice(rare if rnd.randrange(one_in) == 0 else usual)


def _some(rnd: Random, words: Sequence[T], least: int = 0) -> frozenset[T]:
    return frozenset(rnd.sample(list(words), rnd.randint(least, len(words))))


def _flag(rnd: Random) -> bool:
    return rnd.random() < 0.5


def _share(rnd: Random) -> int:
    return rnd.choice([0, 1, 250_000, 500_000, 700_000, 900_000, 999_000, PPM, rnd.randint(0, PPM)])


def contract(rnd: Random, name: str) -> Contract:
    return Contract(
        name=name,
        capabilities=Capabilities(
            operations=_seldom(rnd, [frozenset({Operation.CHAT})], [_some(rnd, list(Operation), 1)]),
            input_modalities=_some(rnd, [Modality.IMAGE, Modality.AUDIO]) | {Modality.TEXT},
            output_modalities=_some(rnd, [Modality.AUDIO]) | {Modality.TEXT},
            tool_calling=_flag(rnd),
            json_schema=_flag(rnd),
            context_length=_seldom(rnd, [0, 100_000], [10, 1_000], 4),
            max_output_tokens=rnd.choice([0, 50, 4_000]),
            languages=_seldom(rnd, [frozenset("*")], [frozenset({"en"}), frozenset({"de", "fr"})], 4),
        ),
        org_id=_seldom(rnd, [""], [ORG, "org-b"]),
        tags=_some(rnd, ["chosen", "frontier"]),
        guarantees=Guarantees(
            first_token_p50_ms=rnd.choice([0, 100, 1_000]),
            first_token_p95_ms=rnd.choice([0, 300, 3_000, 90_000]),
            tokens_per_second=rnd.choice([0, 1, 50]),
            availability_ppm=_share(rnd),
            deterministic=_flag(rnd),
        ),
        constraints=Constraints(
            max_payload_bytes=_seldom(rnd, [0], [10, 5_000]),
            windows=_seldom(rnd, [()], [(window(rnd),), (window(rnd), window(rnd))]),
        ),
        privacy=Privacy(
            clearance=_seldom(rnd, [DataClass.RESTRICTED], list(DataClass), 4),
            regions=_some(rnd, REGIONS),
            retention_days=rnd.choice([None, 0, 30]),
            trains_on_data=rnd.choice([None, False, True]),
            on_premises=_flag(rnd),
            encrypted=_flag(rnd),
        ),
        prices=prices(rnd),
        quality=Quality(_share(rnd), {task: _share(rnd) for task in _some(rnd, TASKS)}),
        traits={key: rnd.choice(values) for key, values in TRAITS.items() if _flag(rnd)},
        demonstration=_flag(rnd),
    )


def window(rnd: Random) -> TimeWindow:
    return TimeWindow(_some(rnd, range(7), 1), rnd.randint(0, 700), rnd.randint(701, 1440))


def prices(rnd: Random) -> tuple[Price, ...]:
    found = []
    for day in sorted(_some(rnd, [date(2025, 1, 1), date(2026, 11, 1), date(2027, 1, 1)])):
        threshold = _seldom(rnd, [0], [5, 500], 2)
        long = rates(rnd) if threshold else None
        found.append(Price(day, rates(rnd), threshold, long, _seldom(rnd, [0], [2_500], 4)))
    return tuple(found)


def rates(rnd: Random) -> Rates:
    rate = [0, 100_000, 1_000_000, 15_000_000]
    return Rates(rnd.choice(rate), rnd.choice(rate), rnd.choice([None, *rate]), rnd.choice([None, *rate]))


def registry_of(contracts: Sequence[Contract]) -> RegistrySnapshot:
    ordered = sorted(contracts, key=lambda each: each.name)
    specs = {each.provider: ProviderSpec(each.provider, ProviderType.OPENAI_COMPATIBLE, ()) for each in ordered}
    services = {each.name: Service(each, specs[each.provider]) for each in ordered}
    return RegistrySnapshot(services, specs, version=1, digest=registry_digest(ordered))


def service_state(rnd: Random) -> ServiceState:
    configured = _seldom(rnd, [True], [False])
    counts = {task: rnd.randint(1, 300) for task in _some(rnd, TASKS)}
    return ServiceState(
        configured=configured,
        breaker=_seldom(rnd, [Breaker.CLOSED], list(Breaker), 4),
        cooling=_seldom(rnd, [False], [True]),
        load_ppm=_seldom(rnd, [0, 400_000], [PPM, 2 * PPM]),
        measured=Measured(
            calls=rnd.choice([0, 1, 20, 5_000]),
            success_ppm=_share(rnd),
            first_token_p50_ms=rnd.choice([0, 80, 2_500]),
            first_token_p95_ms=rnd.choice([0, 200, 9_000]),
            tokens_per_second=rnd.choice([0, 3, 90]),
        ),
        broken_promises=tuple(sorted(_some(rnd, ["first_token_p95_ms", "tokens_per_second"]))),
        rewards={task: Reward(count, rnd.randint(0, count * PPM)) for task, count in counts.items()},
        keys_refused=not configured and rnd.random() < 0.5,
    )


def when(rnd: Random) -> When:
    nothing: list[frozenset] = [frozenset()]
    return When(
        tiers=_seldom(rnd, nothing, [_some(rnd, TIERS)], 4),
        task_classes=_seldom(rnd, nothing, [_some(rnd, TASKS)], 4),
        data_classes=_seldom(rnd, nothing, [_some(rnd, list(DataClass))], 4),
        roles=_seldom(rnd, nothing, [_some(rnd, ROLES)], 4),
        min_complexity_ppm=rnd.choice([0, 0, 500_000]),
        max_complexity_ppm=rnd.choice([PPM, PPM, 500_000]),
        needs_tools=rnd.choice([None, None, None, True, False]),
    )


def selection(rnd: Random) -> Services:
    kinds: dict[str, list] = {
        "names": [("ada/*",), ("*/mini", "bob/*"), ("cyd/[ls]*",), ("*",)],
        "tags": [frozenset({"chosen"}), frozenset({"chosen", "frontier"})],
        "traits": [{"reasoning": True}, {"size": 1}, {"size": True}],
        "on_premises": [True, False],
        "demonstration": [True, False],
    }
    return Services(**{kind: rnd.choice(kinds[kind]) for kind in rnd.sample(list(kinds), _seldom(rnd, [1], [2]))})


def requirement(rnd: Random) -> Requirement:
    return Requirement(rnd.choice(["one", "two"]), rnd.randint(-1, 1), when(rnd), selection(rnd))


def preference(rnd: Random) -> Preference:
    name = rnd.choice(["more", "less", "other"])
    return Preference(name, rnd.randint(-1, 1), when(rnd), selection(rnd), rnd.randint(-PPM, PPM))


def odd_tier(rnd: Random) -> Tier:
    return Tier(
        name="odd",
        weights=Weights(*(rnd.choice([0, 100, 1_000, 10_000]) for _ in range(8))),
        cost_reference_micro_usd=rnd.choice([1, 1_000, 1_000_000]),
        latency_reference_ms=rnd.choice([1, 1_000, 100_000]),
        min_quality_ppm=rnd.choice([0, 0, 500_000, PPM]),
        max_links=rnd.randint(1, 5),
        tries=rnd.randint(1, 3),
        first_token_timeout_ms=rnd.choice([1, 500, 60_000]),
        idle_timeout_ms=rnd.choice([1, 30_000]),
        total_timeout_ms=rnd.choice([1, 1_000, 300_000]),
        hedge=_flag(rnd),
    )


def rules_of(platform: str = "", organisation: str = "", **fields: object) -> RuleSet:
    """Rules with what their policies read, and with their digest."""
    policies = (*policies_in(platform, Layer.PLATFORM), *policies_in(organisation, Layer.ORGANISATION))
    nothing = RuleSet(ORG, platform, organisation, (), (), BUILT_IN, "balanced", DataClass.INTERNAL, "")
    reads = frozenset().union(*(policy.reads for policy in policies))
    return with_digest(replace(nothing, policy_reads=reads, **fields))


def constraint(rnd: Random) -> TraitConstraint:
    trait, values = rnd.choice(
        [("size", (1,)), ("size", (2, 3)), ("reasoning", (True,)), ("reasoning", (1,)), ("family", ("x",))]
    )
    return TraitConstraint(trait, rnd.choice(list(Comparison)), values)


def request(rnd: Random) -> RouteRequest:
    text = [frozenset({Modality.TEXT})]
    return RouteRequest(
        caller=Caller(ORG, rnd.choice(["u-1", "u-2"]), "k", rnd.choice([(), ("admin",)])),
        operation=_seldom(rnd, [Operation.CHAT], list(Operation), 20),
        model=_seldom(rnd, [""], NAMES),
        provider=_seldom(rnd, [""], ["ada", "nobody"], 20),
        chain=_seldom(rnd, [()], [tuple(rnd.sample(NAMES, 6)), tuple(rnd.sample(NAMES, 2))], 4),
        tier=rnd.choice(["", *TIERS]),
        input_modalities=_seldom(rnd, text, [frozenset({Modality.TEXT, Modality.IMAGE})], 20),
        output_modalities=_seldom(rnd, text, [frozenset({Modality.TEXT, Modality.AUDIO})], 20),
        needs_tools=_seldom(rnd, [False], [True]),
        needs_json_schema=_seldom(rnd, [False], [True]),
        language=_seldom(rnd, [""], ["en", "de"]),
        parameters=_seldom(rnd, [frozenset()], [frozenset({"temperature"}), frozenset({"temperature", "stop"})]),
        input_tokens=_seldom(rnd, [0, 5, 6, 9, 499, 501], [10, 999, 200_000]),
        max_output_tokens=rnd.choice([0, 0, 20, 1_000]),
        output_tokens=rnd.choice([0, 1, 60, 800, 5_000]),
        payload_bytes=_seldom(rnd, [0, 10], [11, 6_000]),
        data_class=_seldom(rnd, [DataClass.PUBLIC], list(DataClass), 4),
        residency=_seldom(rnd, [frozenset()], [_some(rnd, REGIONS, 1)]),
        traits=_seldom(rnd, [()], [(constraint(rnd),), (constraint(rnd), constraint(rnd))]),
        max_cost_micro_usd=_seldom(rnd, [None, 10**9], [0, 1, 3_000]),
        budget_left_micro_usd=_seldom(rnd, [None, 10**9], [0, 1, 3_000]),
        deadline_ms=_seldom(rnd, [None, 29_877, 10**7], [0, 99, 1_000]),
        affinity=_seldom(rnd, [""], NAMES, 2),
        estimate=Estimate(rnd.choice(TASKS), _share(rnd), _share(rnd), "features/1"),
    )


def _seeded(make: Callable[[Random], T]) -> st.SearchStrategy[T]:
    return st.integers(0, 2**32 - 1).map(lambda seed: make(Random(seed)))  # noqa: S311


requests = _seeded(request)
states = _seeded(service_state)
moments = st.datetimes(datetime(2026, 10, 20), datetime(2027, 2, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def registries(draw: st.DrawFn) -> RegistrySnapshot:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=len(NAMES)) | st.just(NAMES))
    return registry_of([draw(_seeded(lambda rnd, name=name: contract(rnd, name))) for name in names])


@st.composite
def rule_sets(draw: st.DrawFn, *, policies: bool = True) -> RuleSet:
    has_policies = policies and draw(st.booleans())
    platform = draw(st.lists(st.sampled_from(PLATFORM_POLICIES), unique=True, max_size=2)) if has_policies else []
    organisation = draw(st.lists(st.sampled_from(ORG_POLICIES), unique=True, max_size=2)) if has_policies else []
    preferences = draw(st.lists(_seeded(preference), max_size=3, unique_by=lambda rule: rule.id))
    return rules_of(
        "\n".join(platform),
        "\n".join(organisation),
        requirements=draw(st.just(()) | st.tuples(_seeded(requirement))),
        preferences=tuple(preferences),
        tiers={**BUILT_IN, "odd": draw(_seeded(odd_tier))},
        default_tier=draw(st.sampled_from(TIERS)),
    )


def worlds(*, policies: bool = True) -> st.SearchStrategy[World]:
    system_states = st.dictionaries(st.sampled_from(NAMES), states, max_size=6).map(system_state)
    return st.builds(World, registries(), rule_sets(policies=policies), system_states)


def sample(seed: int) -> tuple[World, RouteRequest, datetime]:
    """One case without policies, and without Hypothesis: for tests that need many and shrink none."""
    rnd = Random(seed)  # noqa: S311
    names = rnd.sample(NAMES, rnd.randint(1, len(NAMES)))
    rules = rules_of(
        preferences=(preference(rnd),),
        requirements=_seldom(rnd, [()], [(requirement(rnd),)], 4),
        tiers={**BUILT_IN, "odd": odd_tier(rnd)},
    )
    state = system_state({name: service_state(rnd) for name in _some(rnd, NAMES)})
    now = datetime(2026, 11, rnd.randint(1, 30), rnd.randrange(24), rnd.randrange(60), tzinfo=UTC)
    return World(registry_of([contract(rnd, name) for name in names]), rules, state), request(rnd), now
