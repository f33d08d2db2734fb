"""How providers are, as their last calls showed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from provider_router.domain.catalog import ProviderSpec


class ProviderState(StrEnum):
    """How a provider is."""

    UNKNOWN = "unknown"
    AVAILABLE = "available"
    FAILING = "failing"
    NOT_CONFIGURED = "not_configured"


@dataclass(frozen=True, slots=True)
class Observation:
    """A provider's last call: when it ended, and why it failed; `reason` is empty when it worked."""

    time: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """A provider, how it is, and its models as `provider/model`."""

    provider: ProviderSpec
    state: ProviderState
    observation: Observation | None
    models: tuple[str, ...]


def state_of(observation: Observation | None, *, configured: bool) -> ProviderState:
    """The state that follows from whether a provider has its key and from its last call."""
    if not configured:
        return ProviderState.NOT_CONFIGURED
    if observation is None:
        return ProviderState.UNKNOWN
    return ProviderState.FAILING if observation.reason else ProviderState.AVAILABLE
