"""What the operator's files say of providers and services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from provider_router.domain.contracts.contract import Contract
from provider_router.domain.contracts.provider import ProviderSpec


@dataclass(frozen=True, slots=True, eq=False)
class Configuration:
    """Providers and the contracts of their models, complete and checked: every contract's provider is here.

    Attributes:
        providers: By name, in the file's order.
        contracts: By name, in the file's order.
        chat_chain: Names of contracts.
        embed_model: Name of a contract; empty for none.
    """

    providers: Mapping[str, ProviderSpec] = field(default_factory=dict[str, ProviderSpec])
    contracts: Mapping[str, Contract] = field(default_factory=dict[str, Contract])
    chat_chain: tuple[str, ...] = ()
    embed_model: str = ""
