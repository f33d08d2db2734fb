"""Lists contracts beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provider_router.domain.calls.page_token import mark_of, token_of
from provider_router.domain.contracts.listed_contract import ListedContract, Observed, observed_by_service
from provider_router.domain.contracts.registry_change import contract_unknown
from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.ports.deployments import Deployments
from provider_router.ports.service_registry import ServiceRegistry

_DEFAULT_SIZE = 100


@dataclass(frozen=True, slots=True)
class ContractsPage:
    """Contracts by name; `next_token` is empty on the last page."""

    contracts: tuple[ListedContract, ...]
    next_token: str
    registry_version: int


class ListContracts:
    """Shows the contracts that an organisation may use, and its own that are suspended."""

    def __init__(self, registry: ServiceRegistry, deployments: Deployments) -> None:
        self._registry = registry
        self._deployments = deployments

    def __call__(self, org_id: str, page_size: int = 0, page_token: str = "") -> ContractsPage:
        """One page.

        Args:
            org_id: Who asks.
            page_size: Most contracts; 0 for 100.
            page_token: From the page before; empty for the first.

        Raises:
            InvalidInput: PAGE_TOKEN_INVALID.
        """
        snapshot = self._registry.current(org_id)
        size, after = page_size or _DEFAULT_SIZE, mark_of(page_token)
        names = [name for name in sorted({*snapshot.services, *snapshot.suspended}) if name > after]
        observed = observed_by_service(self._deployments.statuses(snapshot))
        listed = tuple(_listed(snapshot, name, observed) for name in names[:size])
        return ContractsPage(listed, token_of(names[size - 1]) if len(names) > size else "", snapshot.version)

    def one(self, org_id: str, name: str) -> ListedContract:
        """The contract `name`.

        Raises:
            NotFound: CONTRACT_UNKNOWN.
        """
        snapshot = self._registry.current(org_id)
        if name not in snapshot.services and name not in snapshot.suspended:
            raise contract_unknown(name)
        return _listed(snapshot, name, observed_by_service(self._deployments.statuses(snapshot)))


def _listed(snapshot: RegistrySnapshot, name: str, observed: Mapping[str, Observed]) -> ListedContract:
    service = snapshot.services.get(name)
    suspended = snapshot.suspended.get(name)
    if service is None and suspended is not None:
        return ListedContract(suspended.contract, suspended_reason=suspended.reason)
    contract = snapshot.services[name].contract
    return ListedContract(contract, observed.get(name, Observed()), from_file=not contract.org_id)
