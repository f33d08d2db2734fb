"""Estimates what kind of task a request is, and how hard."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.decisions.route_request import Estimate


class TaskEstimator(Protocol):
    """Reads the text, and gives only numbers and a class."""

    async def estimate(self, request: ChatRequest) -> Estimate:
        """The estimate. Never raises: without an embedding model it says so in `method`. At most 50 ms."""
        ...
