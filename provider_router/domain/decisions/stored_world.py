"""A world as it is kept for the proof of decisions: three documents, each named by its digest.

Decisions of one moment share them, so each is stored once. A decision depends on contracts, not on who serves them
and where: providers are no part of a stored world.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from provider_router.domain.contracts.contract_document import decode_registry, encode_registry
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.state_document import decode_state, encode_state
from provider_router.domain.decisions.world import World
from provider_router.domain.rulebook.rules_document import decode_rules, encode_rules
from shared.value import value


class WorldPart(StrEnum):
    """The documents of a world."""

    REGISTRY = "registry"
    RULES = "rules"
    STATE = "state"


Documents = Mapping[WorldPart, bytes]
"""The parts that are there, in canonical form."""


@value
class PartName:
    """Names a document: which part of a world, and the SHA-256 of its canonical form, hexadecimal."""

    part: WorldPart
    digest: str


def parts_of(decision: Decision) -> tuple[PartName, ...]:
    """The documents that `decision` was made by."""
    return (
        PartName(WorldPart.REGISTRY, decision.registry_digest),
        PartName(WorldPart.RULES, decision.rules_digest),
        PartName(WorldPart.STATE, decision.state_digest),
    )


def encode_part(world: World, part: WorldPart) -> bytes:
    """The canonical form of one part of `world`."""
    match part:
        case WorldPart.REGISTRY:
            return encode_registry(service.contract for service in world.registry.services.values())
        case WorldPart.RULES:
            return encode_rules(world.rules)
        case WorldPart.STATE:
            return encode_state(world.state.services)


def decode_parts(documents: Documents) -> World:
    """The world of all three documents. Raises NotCanonical."""
    return World(
        decode_registry(documents[WorldPart.REGISTRY]),
        decode_rules(documents[WorldPart.RULES]),
        decode_state(documents[WorldPart.STATE]),
    )
