"""Says where a request may go."""

from __future__ import annotations

from typing import Protocol

from tool_executor.domain.web_exchange import Admission, WebAddress


class WebGate(Protocol):
    """Is asked before each connection, those that redirects lead to included."""

    async def admit(self, address: WebAddress) -> Admission:
        """Return what a request may do at `address`.

        Raises:
            WebFailure: when it may not go there.
        """
        ...
