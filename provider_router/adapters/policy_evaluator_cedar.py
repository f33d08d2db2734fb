"""Evaluates Cedar policies.

Cedar itself answers "allow" or "deny", and names only the policies on the winning side. Layers need to know every
policy that applies: so all policies of both layers are handed to Cedar as permits, and what they stand for is put
together here:

- A forbid of the platform holds, unless it is `@overridable("true")` and a permit of the organisation that is annotated
  `@overrides("<its id>")` applies to the same caller, service and context.
- A forbid of the organisation always holds.
- Without permits everything is permitted that is not forbidden. As soon as a layer has a permit (those with
  `@overrides` do not count), one of that layer's permits must apply.
- A policy that cannot be evaluated, for example because of an overflow, forbids.

Services that are the same in everything that the policies read of a service get the same answer: one of them is asked
about.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import cedarpy

from provider_router.adapters.cedar.entities import (
    Entity,
    caller_entities,
    context_of,
    facts_of,
    provider_entities,
    service_entities,
)
from provider_router.adapters.cedar.policy import ANY_FACT, Layer, Policy, policies_in
from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.decisions.decision import Rejected
from provider_router.domain.rulebook.policy import PolicyQuestion, Refusal
from provider_router.domain.rulebook.rules import RuleSet
from shared.cedar.written_policy import prepared

_KEPT_RULES = 64
_KEPT_FIELDS = 8
_ACTION = {"type": "Action", "id": "route"}


@dataclass(frozen=True, slots=True)
class _Compiled:
    """Policies of both layers, ready to be asked. `facts` is what they read of a service; None for everything."""

    policies: Mapping[str, Policy]
    prepared: cedarpy.PolicySet
    closed: tuple[Layer, ...]
    facts: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class _Field:
    """The services of a registry on one day.

    Attributes:
        alike: Their names, those together that are the same in what the policies read.
        prepared: The first of each, and all providers, as Cedar takes them.
    """

    alike: Sequence[Sequence[str]]
    prepared: cedarpy.Entities


class CedarPolicyEvaluator:
    """Its `verdicts` are `PolicyVerdicts`. Keeps what it parsed, within bounds. Not for several threads at once."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], _Compiled] = {}
        self._fields: dict[tuple[RegistrySnapshot, date, tuple[str, ...] | None], _Field] = {}

    def verdicts(self, registry: RegistrySnapshot, rules: RuleSet, question: PolicyQuestion) -> Mapping[str, Refusal]:
        """The services that the policies refuse, by name."""
        if not rules.has_policies:
            return {}
        compiled = self._compiled_of(rules)
        field = self._field_of(registry, question.day, compiled.facts)
        answers = _asked(compiled, field, question)
        return {
            name: refusal
            for names, refusal in zip(field.alike, answers, strict=True)
            if refusal is not None
            for name in names
        }

    def _compiled_of(self, rules: RuleSet) -> _Compiled:
        key = (rules.platform_policies, rules.org_policies)
        found = self._compiled.get(key)
        if found is None:
            if len(self._compiled) >= _KEPT_RULES:
                self._compiled.clear()
            found = self._compiled[key] = _compile(*key)
        return found

    def _field_of(self, registry: RegistrySnapshot, day: date, facts: tuple[str, ...] | None) -> _Field:
        key = (registry, day, facts)
        found = self._fields.get(key)
        if found is None:
            while len(self._fields) >= _KEPT_FIELDS:
                del self._fields[next(iter(self._fields))]
            found = self._fields[key] = _field(registry, day, facts)
        return found


def _field(registry: RegistrySnapshot, day: date, facts: tuple[str, ...] | None) -> _Field:
    groups: dict[Hashable, list[str]] = {}
    first: list[Entity] = []
    for name, entity in service_entities(registry, day).items():
        alike = groups.setdefault(name if facts is None else facts_of(entity, facts), [])
        if not alike:
            first.append(entity)
        alike.append(name)
    document = json.dumps([*first, *provider_entities(registry)])
    prepared = cedarpy.Entities.from_json_str(document)  # pyright: ignore[reportUnknownMemberType]
    return _Field(list(groups.values()), prepared)


def _asked(compiled: _Compiled, field: _Field, question: PolicyQuestion) -> Iterator[Refusal | None]:
    """What the policies say of each group of services that are alike."""
    caller, context = json.dumps(caller_entities(question)), json.dumps(context_of(question))
    entities = field.prepared.with_added_json_str(caller)  # pyright: ignore[reportUnknownMemberType]
    requests: list[dict[str, object]] = [
        {
            "principal": {"type": "User", "id": question.user_id},
            "action": _ACTION,
            "resource": {"type": "Service", "id": names[0]},
            "context": context,
        }
        for names in field.alike
    ]
    answers = cedarpy.is_authorized_batch(  # pyright: ignore[reportUnknownMemberType]
        requests, compiled.prepared, entities
    )
    return (_refusal(compiled, each.diagnostics.reasons, each.diagnostics.errors) for each in answers)


def _compile(platform: str, organisation: str) -> _Compiled:
    policies = (*policies_in(platform, Layer.PLATFORM), *policies_in(organisation, Layer.ORGANISATION))
    by_key = {f"{policy.layer}: {policy.id}": policy for policy in policies}
    forms = {key: {**policy.form, "effect": "permit"} for key, policy in by_key.items()}
    closed = tuple(layer for layer in Layer if any(_is_plain_permit(each) and each.layer is layer for each in policies))
    facts = sorted({fact for policy in policies for fact in policy.facts})
    return _Compiled(by_key, prepared(forms), closed, None if ANY_FACT in facts else tuple(facts))


def _is_plain_permit(policy: Policy) -> bool:
    return not policy.forbids and not policy.overrides


def _refusal(compiled: _Compiled, applying: Sequence[str], errors: Sequence[str]) -> Refusal | None:
    """What the applying policies say of one service. Details are in order, since Cedar's are not."""
    if errors:
        return Refusal(Rejected.FORBIDDEN_BY_RULE, "a policy could not be evaluated")
    policies = {key: compiled.policies[key] for key in applying}
    lifted = {policy.overrides for policy in policies.values() if policy.overrides}
    forbidding = [key for key, policy in policies.items() if policy.forbids and not _is_lifted(policy, lifted)]
    if forbidding:
        return Refusal(Rejected.FORBIDDEN_BY_RULE, _listed(forbidding))
    permitting = {policy.layer for policy in policies.values() if _is_plain_permit(policy)}
    lacking = [f"no permit of the {layer} applies" for layer in compiled.closed if layer not in permitting]
    return Refusal(Rejected.NOT_PERMITTED_BY_RULE, _listed(lacking)) if lacking else None


def _is_lifted(policy: Policy, lifted: set[str]) -> bool:
    return policy.layer is Layer.PLATFORM and policy.overridable and policy.id in lifted


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(sorted(texts))
