"""Talks to servers on the web."""

from __future__ import annotations

from typing import Protocol

from tool_executor.domain.web_exchange import WebAnswer, WebRequest
from tool_executor.ports.web_gate import WebGate


class WebClient(Protocol):
    """Sends requests to where they may go, and nowhere else."""

    async def send(self, request: WebRequest, gate: WebGate) -> WebAnswer:
        """Return the answer to `request`, whatever its status.

        The first address and each that it leads to is put to `gate`, and connections are made to those network
        addresses only that were checked. Headers of `request` do not follow to another origin.

        Raises:
            WebFailure: when there is no answer to be had.
        """
        ...
