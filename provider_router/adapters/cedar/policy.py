"""The policies of routing: whose they are, what they lift, and what they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from provider_router.adapters.cedar.schema import CONTEXT_FEATURES, SCHEMA
from shared.cedar.written_policy import WrongPolicyError, written_policies

_ANNOTATIONS = frozenset({"id", "description", "overridable", "overrides"})

ANY_FACT = "*"


class Layer(StrEnum):
    """Whose policies they are."""

    PLATFORM = "platform"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy.

    Attributes:
        id: Unique within its layer.
        layer: Whose it is.
        forbids: Whether it forbids; else it permits.
        overridable: Whether an organisation may lift it.
        overrides: The platform's policy that it lifts; empty for none.
        reads: Features of a request that it reads.
        facts: Attributes of a service that it reads, and `#x` for the trait x; holds ANY_FACT when it may read all.
        line: Where it starts in its text, from 0.
        form: In Cedar's JSON form.
    """

    id: str
    layer: Layer
    forbids: bool
    overridable: bool
    overrides: str
    reads: frozenset[str]
    facts: frozenset[str]
    line: int
    form: Mapping[str, Any]


def policies_in(text: str, layer: Layer) -> tuple[Policy, ...]:
    """The policies in `text`, in their order.

    Raises:
        WrongPolicyError: One cannot be parsed, does not fit the schema, or lacks an id of its own.
    """
    written = written_policies(text, SCHEMA, lambda notes, forbids: _annotation_problem(notes, layer, forbids=forbids))
    return tuple(
        Policy(
            id=each.id,
            layer=layer,
            forbids=each.forbids,
            overridable="overridable" in each.notes,
            overrides=each.notes.get("overrides", ""),
            reads=frozenset(_features(each.form)),
            facts=frozenset(_facts(each.form)),
            line=each.line,
            form=each.form,
        )
        for each in written
    )


def check_overrides(policies: tuple[Policy, ...], platform: tuple[Policy, ...]) -> None:
    """Checks that the policies of an organisation lift only what the platform lets them lift.

    Raises:
        WrongPolicyError: One does not.
    """
    liftable = {each.id for each in platform if each.overridable}
    for policy in policies:
        if policy.overrides and policy.overrides not in liftable:
            message = f"the platform has no policy '{policy.overrides}' with @overridable(\"true\")"
            raise WrongPolicyError(policy.line, message)


def _annotation_problem(notes: Mapping[str, str], layer: Layer, *, forbids: bool) -> str:
    unknown = sorted(notes.keys() - _ANNOTATIONS)
    if unknown:
        return f"there is no annotation @{unknown[0]}"
    if "overridable" in notes and (notes["overridable"] != "true" or layer is not Layer.PLATFORM or not forbids):
        return 'only @overridable("true") on a forbid of the platform means something'
    if "overrides" in notes and (layer is not Layer.ORGANISATION or forbids):
        return "@overrides is for permits of an organisation"
    return ""


def _features(node: object) -> Iterator[str]:
    """What a policy reads of a request. Where that is not plain to see, more is named rather than less."""
    for form in _forms(node):
        if form.get("type") == "User":
            yield "user"
        if form.get("type") == "Group":
            yield "roles"
        if form.get("Var") == "principal":
            yield from ("user", "roles")
        if form.get("Var") == "context":
            yield from CONTEXT_FEATURES.values()
        attribute = _attribute_of("context", form)
        if attribute is not None:
            yield CONTEXT_FEATURES.get(attribute, attribute)


def _facts(node: object) -> Iterator[str]:
    """What a policy reads of a service. Where that is not plain to see, everything is named."""
    for form in _forms(node):
        if form.get("type") == "Service" or form.get("Var") == "resource":
            yield ANY_FACT
        if form.get("type") == "Provider":
            yield "provider"
        attribute = _attribute_of("resource", form)
        if attribute is not None:
            yield attribute


def _forms(node: object) -> Iterator[Mapping[str, object]]:
    """Every object in a policy's JSON form; not what is inside of a plain access to an attribute."""
    if isinstance(node, list):
        for each in cast("list[object]", node):
            yield from _forms(each)
    if isinstance(node, dict):
        form = cast("dict[str, object]", node)
        yield form
        if _attribute_of("context", form) is None and _attribute_of("resource", form) is None:
            for each in form.values():
                yield from _forms(each)


def _attribute_of(variable: str, form: Mapping[str, object]) -> str | None:
    """The attribute in `variable.x` and `variable has x`, `#x` for a tag x that is named; None for anything else."""
    for operator, key in ((".", "attr"), ("has", "attr"), ("hasTag", "right"), ("getTag", "right")):
        access = form.get(operator)
        if isinstance(access, dict):
            found = cast("dict[str, object]", access)
            name = found.get(key)
            if found.get("left") == {"Var": variable}:
                return _literal(name)
    return None


def _literal(name: object) -> str | None:
    """An attribute's name, or a tag's with a number sign before it; None for a tag whose name is computed."""
    if isinstance(name, str):
        return name
    value = cast("dict[str, object]", name).get("Value") if isinstance(name, dict) else None
    return f"#{value}" if isinstance(value, str) else None
