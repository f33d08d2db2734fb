"""Changes to the registry: what an organisation asks for, and whether it may have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from provider_router.domain.contracts.configuration import Configuration
from provider_router.domain.contracts.contract import Contract
from provider_router.domain.contracts.contract_checks import Violation
from provider_router.domain.contracts.contract_document import encode_contract
from provider_router.domain.contracts.dialect import UNSERVED_BY_DIALECT, dialect_traits
from provider_router.domain.contracts.field_names import field_text
from provider_router.domain.contracts.organisation_bounds import excesses_of
from provider_router.domain.decisions.canonical_json import digest_of
from provider_router.domain.errors import Reason, failure
from shared.errors import FieldViolation, NexusError

MAX_CONTRACTS = 1000
"""Most contracts that one organisation may register."""


@dataclass(frozen=True, slots=True)
class Change:
    """A contract to register or to replace; its `org_id` is the organisation that asks.

    Attributes:
        contract: Checked by `contract_checks`.
        request_id: Chosen by the caller, unique within the organisation.
    """

    contract: Contract
    request_id: str

    @property
    def fingerprint(self) -> str:
        """Tells two changes with one request id apart."""
        return digest_of(encode_contract(self.contract))


@dataclass(frozen=True, slots=True)
class Removal:
    """A contract to remove: `name` of `org_id`."""

    org_id: str
    name: str
    request_id: str

    @property
    def fingerprint(self) -> str:
        """Tells two changes with one request id apart."""
        return f"removal of {self.name}"


@dataclass(frozen=True, slots=True)
class Changed:
    """A contract as it is after a change, and the registry's version with it."""

    contract: Contract
    registry_version: int


def registered(contract: Contract, configuration: Configuration, own: Mapping[str, Contract], today: date) -> Contract:
    """The contract as it is registered: version 1.

    Args:
        contract: As it was asked for.
        configuration: The operator's files.
        own: What its organisation registered already, by name.
        today: UTC.

    Raises:
        AlreadyExists: CONTRACT_EXISTS.
        QuotaExceeded: CONTRACT_LIMIT.
        InvalidInput: PROVIDER_UNKNOWN, CONTRACT_INVALID.
    """
    if contract.name in configuration.contracts or contract.name in own:
        where = "already. Choose another name, or update it."
        if contract.name in configuration.contracts:
            where = "in the configuration's files. Choose another name, or have the operator change it there."
        raise failure(
            Reason.CONTRACT_EXISTS,
            f"There is a contract '{contract.name}' {where}",
            metadata={"name": contract.name},
        )
    if len(own) >= MAX_CONTRACTS:
        raise failure(Reason.CONTRACT_LIMIT, f"An organisation may register at most {MAX_CONTRACTS} contracts.")
    return replace(_served(contract, configuration, today), version=1)


def replaced(contract: Contract, configuration: Configuration, own: Mapping[str, Contract], today: date) -> Contract:
    """The contract that takes the place of one of `own`, with the next version; arguments as `registered`.

    Raises:
        NotFound: CONTRACT_UNKNOWN.
        StaleWrite: CONTRACT_CHANGED.
        PreconditionFailed: CONTRACT_FROM_FILE.
        InvalidInput: PROVIDER_UNKNOWN, CONTRACT_INVALID.
    """
    before = removed(contract.name, configuration, own)
    if contract.version != before.version:
        raise failure(
            Reason.CONTRACT_CHANGED,
            f"The contract '{contract.name}' has version {before.version} now, not {contract.version}. "
            "Read it again, then update it.",
            metadata={"name": contract.name, "version": str(before.version)},
        )
    return replace(_served(contract, configuration, today), version=before.version + 1)


def removed(name: str, configuration: Configuration, own: Mapping[str, Contract]) -> Contract:
    """The contract of `own` that is to go; arguments as `registered`.

    Raises:
        NotFound: CONTRACT_UNKNOWN.
        PreconditionFailed: CONTRACT_FROM_FILE.
    """
    before = own.get(name)
    if before is None and name in configuration.contracts:
        raise failure(
            Reason.CONTRACT_FROM_FILE,
            f"The contract '{name}' stands in the configuration's files; change it there.",
            metadata={"name": name},
        )
    if before is None:
        raise contract_unknown(name)
    return before


def contract_unknown(name: str) -> NexusError:
    """The refusal for a contract that is not there or belongs to another organisation."""
    return failure(Reason.CONTRACT_UNKNOWN, f"There is no contract '{name}'.", metadata={"name": name})


def request_id_reused(request_id: str) -> NexusError:
    """The refusal for a request id that stands for something else already."""
    return failure(
        Reason.REQUEST_ID_REUSED,
        f"The request id '{request_id}' was used for another request. Choose a new one.",
        metadata={"request_id": request_id},
    )


def _served(contract: Contract, configuration: Configuration, today: date) -> Contract:
    """The contract with what its provider settles."""
    provider = configuration.providers.get(contract.provider)
    if provider is None:
        known = ", ".join(configuration.providers) or "none"
        raise failure(
            Reason.PROVIDER_UNKNOWN,
            f"There is no provider '{contract.provider}'. Configured: {known}.",
            metadata={"provider": contract.provider},
        )
    unserved = UNSERVED_BY_DIALECT[provider.type] & contract.capabilities.operations
    if unserved:
        reason = f"a provider of type {provider.type.value} does not serve {', '.join(sorted(unserved))}"
        raise _invalid([Violation(("capabilities", "operations"), reason)])
    if excesses := excesses_of(contract, configuration, today):
        raise _invalid(excesses)
    traits = dialect_traits(provider.type, contract.traits)
    return replace(contract, needs_auth=provider.needs_key, demonstration=False, traits=traits)


def _invalid(violations: Sequence[Violation]) -> NexusError:
    """The refusal of a contract that its provider, or the operator's contracts of it, do not allow."""
    fields = [FieldViolation(field_text(each.path), each.description) for each in violations]
    return failure(
        Reason.CONTRACT_INVALID,
        f"{fields[0].field}: {fields[0].description}.",
        violations=fields,
    )
