"""Routing rules: Cedar policies, requirements, preferences and tiers, of the platform and of one organisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from provider_router.domain.contracts.contract import DataClass, TraitValue


@dataclass(frozen=True, slots=True)
class When:
    """When a rule applies: every condition that is set must hold. Empty conditions always hold.

    Attributes:
        tiers: The request's tier is one of these.
        task_classes: Its task class is one of these.
        data_classes: Its data class is one of these.
        roles: Its caller has one of these roles.
        min_complexity_ppm: It is at least this complex.
        max_complexity_ppm: It is at most this complex.
        needs_tools: Whether it offers tools; None for both.
    """

    tiers: frozenset[str] = frozenset()
    task_classes: frozenset[str] = frozenset()
    data_classes: frozenset[DataClass] = frozenset()
    roles: frozenset[str] = frozenset()
    min_complexity_ppm: int = 0
    max_complexity_ppm: int = 1_000_000
    needs_tools: bool | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """Which services a rule speaks of: every condition that is set must hold.

    Attributes:
        names: Shell patterns over `provider/model`.
        tags: It has one of these.
        traits: It has these traits with these values.
        on_premises: Whether it is on the operator's machines; None for both.
        demonstration: Whether it ships with Nexus as a demonstration; None for both.
    """

    names: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    traits: Mapping[str, TraitValue] = field(default_factory=dict[str, TraitValue])
    on_premises: bool | None = None
    demonstration: bool | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """While `when` holds, only `services` are candidates. All requirements that apply must be met."""

    id: str
    priority: int
    when: When
    services: Services


@dataclass(frozen=True, slots=True)
class Preference:
    """While `when` holds, `services` gain `strength_ppm` (negative: lose) in the preference term.

    Of several preferences with one id the one with the highest priority counts; at equal priority the organisation's.
    """

    id: str
    priority: int
    when: When
    services: Services
    strength_ppm: int


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the utility's terms in thousandths, 0 to 10_000; the last three are penalties."""

    quality: int = 0
    reward: int = 0
    fit: int = 0
    affinity: int = 0
    preference: int = 0
    cost: int = 0
    latency: int = 0
    risk: int = 0


@dataclass(frozen=True, slots=True)
class Tier:
    """A name for what callers need.

    Attributes:
        name: `fast`, `balanced`, `deep`, or another one.
        weights: Of the utility.
        cost_reference_micro_usd: Expected cost at which the cost term is one half.
        latency_reference_ms: Expected total time at which the latency term is one half.
        min_quality_ppm: Services believed to be worse are passed over while a better one is a candidate; 0 for none.
        max_links: Most links of the fallback chain.
        tries: How often each link is tried.
        first_token_timeout_ms: For each try.
        idle_timeout_ms: Between two pieces.
        total_timeout_ms: For a whole call.
        hedge: Whether a silent service is raced by the next one.
    """

    name: str
    weights: Weights
    cost_reference_micro_usd: int
    latency_reference_ms: int
    min_quality_ppm: int = 0
    max_links: int = 4
    tries: int = 2
    first_token_timeout_ms: int = 60_000
    idle_timeout_ms: int = 30_000
    total_timeout_ms: int = 300_000
    hedge: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RuleSet:
    """The rules that one organisation's requests are decided by.

    Attributes:
        org_id: The organisation; empty for the platform's rules alone.
        platform_policies: Cedar text of the platform.
        org_policies: Cedar text of the organisation; empty for none.
        requirements: Of both.
        preferences: Of both, already resolved by id and priority.
        tiers: By name; the organisation's replace the platform's of the same name.
        default_tier: For requests that name none.
        default_data_class: For requests that name none.
        digest: SHA-256 of the canonical form of all of it, hexadecimal.
        policy_reads: What the policies read of a request, of `domain.policy.FEATURES`; nothing else can change what
            they say.
        closed_by: What is wrong in the files, so that everything is forbidden until they are good; empty for rules that
            somebody wrote. It is no part of the digest.
    """

    org_id: str
    platform_policies: str
    org_policies: str
    requirements: tuple[Requirement, ...]
    preferences: tuple[Preference, ...]
    tiers: Mapping[str, Tier]
    default_tier: str
    default_data_class: DataClass
    digest: str
    policy_reads: frozenset[str] = frozenset()
    closed_by: str = ""

    @property
    def has_policies(self) -> bool:
        """Whether there is a Cedar policy at all."""
        return bool(self.platform_policies.strip() or self.org_policies.strip())
