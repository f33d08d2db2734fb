"""Counts the tokens of a prompt before it is sent."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.contracts.service import Service


class TokenCounter(Protocol):
    """Says how long a prompt is. Pure: the same request and service give the same count. At most 50 us for 4 KB."""

    def count(self, request: ChatRequest, service: Service) -> int:
        """Tokens of the whole prompt as `service` would count them: messages, tools, schema and what frames them.

        Where the count is an estimate, it errs upwards: money and context are reserved by it. Never raises.
        """
        ...

    def text(self, service: Service, text: str) -> int:
        """Tokens of an answer's text, for an attempt whose provider did not count them. Errs upwards. Never raises."""
        ...
