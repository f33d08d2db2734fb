"""What keeps things that were configured or registered from being used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from provider_router.domain.configuration.problem import ConfigurationProblem
from provider_router.domain.contracts.provider import ProviderSpec
from provider_router.domain.contracts.service import RegistrySnapshot


@dataclass(frozen=True, slots=True)
class Unusable:
    """Something that cannot be used.

    Attributes:
        name: A provider's, or a registered contract's: `provider/model`.
        reason: Why: one sentence for people.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Troubles:
    """Files that are not in force, and what cannot be used though every file is."""

    problems: tuple[ConfigurationProblem, ...] = ()
    unusable: tuple[Unusable, ...] = ()


def unusable_in(snapshot: RegistrySnapshot, has_key: Callable[[ProviderSpec], bool]) -> tuple[Unusable, ...]:
    """Providers without their key, in the configuration's order, then registered contracts that are suspended."""
    keyless = (each for each in snapshot.providers.values() if not has_key(each))
    return (
        *(Unusable(each.name, f"It has no key: {each.key_source} is not set or empty.") for each in keyless),
        *(
            Unusable(name, f"The registered contract is suspended. {each.reason}")
            for name, each in snapshot.suspended.items()
        ),
    )
