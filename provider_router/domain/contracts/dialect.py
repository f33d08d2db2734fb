"""What the dialects of providers can carry."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from provider_router.domain.contracts.contract import Operation, TraitValue
from provider_router.domain.contracts.provider import ProviderType

DIALECT_TRAIT = "dialect"
"""The trait that says which dialect a service's provider speaks: a value of `Dialect`. No contract can change it."""

PROVIDER_TOOLS_TRAIT = "provider_tools"
"""The trait of services whose provider may run tools of its own for callers, such as a search of the web. It is false
unless a contract says otherwise: what they cost is in no price, and they may send the prompt anywhere."""


class Dialect(StrEnum):
    """A way of asking and answering over HTTP, of callers and of providers alike."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_RESPONSES = "openai_responses"
    ANTHROPIC_MESSAGES = "anthropic_messages"


DIALECT_OF: Mapping[ProviderType, Dialect] = {
    ProviderType.LOCAL: Dialect.OPENAI_CHAT,
    ProviderType.OPENAI_COMPATIBLE: Dialect.OPENAI_CHAT,
    ProviderType.ANTHROPIC: Dialect.ANTHROPIC_MESSAGES,
    ProviderType.OPENAI_RESPONSES: Dialect.OPENAI_RESPONSES,
}
_ALL_BUT_CHAT = frozenset(Operation) - {Operation.CHAT}

UNSERVED_BY_DIALECT: Mapping[ProviderType, frozenset[Operation]] = {
    ProviderType.LOCAL: frozenset(),
    ProviderType.OPENAI_COMPATIBLE: frozenset(),
    ProviderType.ANTHROPIC: _ALL_BUT_CHAT,
    ProviderType.OPENAI_RESPONSES: _ALL_BUT_CHAT,
}
"""Operations that no contract of a provider of that dialect may promise."""

_SAMPLING = ("seed", "frequency_penalty", "presence_penalty", "logit_bias", "n", "logprobs")
_UNSERVED_PARAMETERS: Mapping[Dialect, tuple[str, ...]] = {
    # `top_k` is no parameter of the dialect, though many servers that speak it take one.
    Dialect.OPENAI_CHAT: ("top_k",),
    Dialect.OPENAI_RESPONSES: (*_SAMPLING, "top_k", "stop"),
    Dialect.ANTHROPIC_MESSAGES: (*_SAMPLING, "json_object"),
}
"""Parameters (`ChatRequest.parameters`) that have no place in a dialect."""
_UNSERVED_BY_TYPE: Mapping[ProviderType, tuple[str, ...]] = {
    # llama.cpp answers as often at once as it has places, and by default the local model has one.
    ProviderType.LOCAL: ("n",),
}


def dialect_traits(kind: ProviderType, own: Mapping[str, TraitValue]) -> Mapping[str, TraitValue]:
    """The traits of a service whose contract has `own`: its dialect, and what that and its provider have no place for.

    A contract may say that its provider takes a parameter all the same. Traits that were derived before, as those of a
    contract that was read and sent back are, are derived anew: the provider may speak another dialect since.
    """
    dialect = DIALECT_OF[kind]
    before = _derived(own.get(DIALECT_TRAIT, ""))
    said = {name: value for name, value in own.items() if name not in before or before[name] != value}
    unserved = dict.fromkeys(_UNSERVED_BY_TYPE.get(kind, ()), False)
    return {**_derived(dialect), **unserved, **said, DIALECT_TRAIT: dialect.value}


def _derived(dialect: TraitValue) -> Mapping[str, TraitValue]:
    """What the dialect of that name has no place for; nothing where that is the name of none."""
    known = next((each for each in Dialect if each == dialect), None)
    return dict.fromkeys((*_UNSERVED_PARAMETERS[known], PROVIDER_TOOLS_TRAIT), False) if known else {}
