"""What keeps things that were configured or registered from being used."""

from __future__ import annotations

from collections.abc import Callable, Collection
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


def unusable_in(
    snapshot: RegistrySnapshot, has_key: Callable[[ProviderSpec], bool], refused: Collection[str]
) -> tuple[Unusable, ...]:
    """Providers without a key that works, in the configuration's order, then registered contracts that are suspended.

    Args:
        snapshot: What is configured and registered.
        has_key: Whether a provider's key is there.
        refused: The providers that refused theirs.
    """
    troubles = {each.name: _trouble_with_key(each, has_key, refused) for each in snapshot.providers.values()}
    return (
        *(Unusable(name, reason) for name, reason in troubles.items() if reason),
        *(
            Unusable(name, f"The registered contract is suspended. {each.reason}")
            for name, each in snapshot.suspended.items()
        ),
    )


def _trouble_with_key(provider: ProviderSpec, has_key: Callable[[ProviderSpec], bool], refused: Collection[str]) -> str:
    if not has_key(provider):
        return f"It has no key: {provider.key_source} is not set or empty."
    return f"It refused its key: {provider.key_source} is not right." if provider.name in refused else ""
