"""The canonical form of a rule set, and its digest.

One object in canonical JSON (`canonical_json`) with the fields of `RuleSet` but its digest: `requirements` and
`preferences` as lists of objects in the order of the rules, `tiers` as an object by name, sets in order, data classes
as numbers from 0 (public) to 3, and `version` of this form. Policies stand in it as text: who replays a decision
evaluates them again.
"""

from __future__ import annotations

from dataclasses import replace

from provider_router.domain.contracts.contract import DataClass
from provider_router.domain.decisions.canonical_json import NotCanonical, Reader, canonical_bytes, digest_of, number_of
from provider_router.domain.rulebook.rules import Preference, Requirement, RuleSet, Services, Tier, Weights, When

_VERSION = 1
_WEIGHTS = ("quality", "reward", "fit", "affinity", "preference", "cost", "latency", "risk")


def encode_rules(rules: RuleSet) -> bytes:
    """The canonical form of `rules`; its digest is no part of it."""
    return canonical_bytes(
        {
            "default_data_class": rules.default_data_class.value,
            "default_tier": rules.default_tier,
            "org_id": rules.org_id,
            "org_policies": rules.org_policies,
            "platform_policies": rules.platform_policies,
            "policy_reads": sorted(rules.policy_reads),
            "preferences": [{**_rule(rule), "strength_ppm": rule.strength_ppm} for rule in rules.preferences],
            "requirements": [_rule(rule) for rule in rules.requirements],
            "tiers": {name: _tier(tier) for name, tier in rules.tiers.items()},
            "version": _VERSION,
        }
    )


def decode_rules(document: bytes) -> RuleSet:
    """The rules that `document` holds, with the digest of `document`.

    Raises:
        NotCanonical: It is not in canonical form.
    """
    reader = Reader.parse(document)
    tiers = reader.object("tiers")
    rules = RuleSet(
        org_id=reader.text("org_id"),
        platform_policies=reader.text("platform_policies"),
        org_policies=reader.text("org_policies"),
        requirements=tuple(_read_requirement(Reader(row, "requirements")) for row in reader.items("requirements")),
        preferences=tuple(_read_preference(Reader(row, "preferences")) for row in reader.items("preferences")),
        tiers={name: _read_tier(tiers.object(name)) for name in tiers.keys()},  # noqa: SIM118 - no mapping
        default_tier=reader.text("default_tier"),
        default_data_class=reader.choice("default_data_class", DataClass),
        digest=digest_of(document),
        policy_reads=frozenset(reader.texts("policy_reads")),
    )
    if encode_rules(rules) != document:
        raise NotCanonical("the rules are not in canonical form")
    return rules


def with_digest(rules: RuleSet) -> RuleSet:
    """`rules` with the digest that they have."""
    return replace(rules, digest=digest_of(encode_rules(rules)))


def _rule(rule: Requirement | Preference) -> dict[str, object]:
    return {"id": rule.id, "priority": rule.priority, "services": _services(rule.services), "when": _when(rule.when)}


def _when(when: When) -> dict[str, object]:
    return {
        "data_classes": sorted(each.value for each in when.data_classes),
        "max_complexity_ppm": when.max_complexity_ppm,
        "min_complexity_ppm": when.min_complexity_ppm,
        "needs_tools": when.needs_tools,
        "roles": sorted(when.roles),
        "task_classes": sorted(when.task_classes),
        "tiers": sorted(when.tiers),
    }


def _services(services: Services) -> dict[str, object]:
    return {
        "demonstration": services.demonstration,
        "names": services.names,
        "on_premises": services.on_premises,
        "tags": sorted(services.tags),
        "traits": dict(services.traits),
    }


def _tier(tier: Tier) -> dict[str, object]:
    weights = tier.weights
    return {
        "cost_reference_micro_usd": tier.cost_reference_micro_usd,
        "first_token_timeout_ms": tier.first_token_timeout_ms,
        "hedge": tier.hedge,
        "idle_timeout_ms": tier.idle_timeout_ms,
        "latency_reference_ms": tier.latency_reference_ms,
        "max_links": tier.max_links,
        "min_quality_ppm": tier.min_quality_ppm,
        "name": tier.name,
        "total_timeout_ms": tier.total_timeout_ms,
        "tries": tier.tries,
        "weights": {name: getattr(weights, name) for name in _WEIGHTS},
    }


def _read_requirement(reader: Reader) -> Requirement:
    return Requirement(
        id=reader.text("id"),
        priority=reader.number("priority"),
        when=_read_when(reader.object("when")),
        services=_read_services(reader.object("services")),
    )


def _read_preference(reader: Reader) -> Preference:
    rule = _read_requirement(reader)
    return Preference(rule.id, rule.priority, rule.when, rule.services, reader.number("strength_ppm"))


def _read_when(reader: Reader) -> When:
    return When(
        tiers=frozenset(reader.texts("tiers")),
        task_classes=frozenset(reader.texts("task_classes")),
        data_classes=frozenset(_data_class(each) for each in reader.items("data_classes")),
        roles=frozenset(reader.texts("roles")),
        min_complexity_ppm=reader.number("min_complexity_ppm"),
        max_complexity_ppm=reader.number("max_complexity_ppm"),
        needs_tools=reader.flag_or_none("needs_tools"),
    )


def _read_services(reader: Reader) -> Services:
    traits = reader.object("traits")
    return Services(
        names=reader.texts("names"),
        tags=frozenset(reader.texts("tags")),
        traits={name: traits.scalar(name) for name in traits.keys()},  # noqa: SIM118 - no mapping
        on_premises=reader.flag_or_none("on_premises"),
        demonstration=reader.flag_or_none("demonstration"),
    )


def _read_tier(reader: Reader) -> Tier:
    weights = reader.object("weights")
    return Tier(
        name=reader.text("name"),
        weights=Weights(*(weights.number(name) for name in _WEIGHTS)),
        cost_reference_micro_usd=reader.number("cost_reference_micro_usd"),
        latency_reference_ms=reader.number("latency_reference_ms"),
        min_quality_ppm=reader.number("min_quality_ppm"),
        max_links=reader.number("max_links"),
        tries=reader.number("tries"),
        first_token_timeout_ms=reader.number("first_token_timeout_ms"),
        idle_timeout_ms=reader.number("idle_timeout_ms"),
        total_timeout_ms=reader.number("total_timeout_ms"),
        hedge=reader.flag("hedge"),
    )


def _data_class(value: object) -> DataClass:
    try:
        return DataClass(number_of(value, "data_classes"))
    except ValueError as error:
        raise NotCanonical("data_classes is of no known kind") from error
