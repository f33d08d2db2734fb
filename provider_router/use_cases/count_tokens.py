"""Counts the tokens of a prompt, without asking any provider."""

from __future__ import annotations

from provider_router.domain.calls.asked_model import asked_model, likeliest_service
from provider_router.domain.calls.chat_call import ChatCall
from provider_router.domain.errors import Reason, failure
from provider_router.ports.service_registry import ServiceRegistry
from provider_router.ports.token_counter import TokenCounter


class CountTokens:
    """Counts as the decision over the same call would: an estimate that errs upwards, for the likeliest service."""

    def __init__(self, registry: ServiceRegistry, counter: TokenCounter) -> None:
        self._registry = registry
        self._counter = counter

    def __call__(self, call: ChatCall) -> int:
        """Tokens of the prompt of `call`.

        Raises:
            InvalidInput: INVALID_MESSAGES.
            PreconditionFailed: NO_MODEL_CONFIGURED.
        """
        call.request.check()
        registry = self._registry.current(call.caller.org_id)
        asked = asked_model(call.options.model, call.options.tier, registry.chat_chain)
        service = likeliest_service(asked, registry)
        if service is None:
            raise failure(Reason.NO_MODEL_CONFIGURED, "No model that chats is configured; see the providers file.")
        return self._counter.count(call.request, service)
