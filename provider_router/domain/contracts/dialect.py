"""What the dialects of providers can carry."""

from __future__ import annotations

from collections.abc import Mapping

from provider_router.domain.contracts.contract import Operation
from provider_router.domain.contracts.provider import ProviderType

_ALL_BUT_CHAT = frozenset(Operation) - {Operation.CHAT}

UNSERVED_BY_DIALECT: Mapping[ProviderType, frozenset[Operation]] = {
    ProviderType.LOCAL: frozenset(),
    ProviderType.OPENAI_COMPATIBLE: frozenset(),
    ProviderType.ANTHROPIC: _ALL_BUT_CHAT,
    ProviderType.OPENAI_RESPONSES: _ALL_BUT_CHAT,
}
"""Operations that no contract of a provider of that dialect may promise."""
