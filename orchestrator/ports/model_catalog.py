"""Which models there are."""

from __future__ import annotations

from typing import Protocol

from orchestrator.domain.chat import ModelInfo


class ModelCatalog(Protocol):
    """Lists the configured models."""

    async def models(self, *, anew: bool = False) -> tuple[ModelInfo, ...]:
        """Return the models, in the order in which the router lists them. At most a second old; not at all if `anew`.

        Raises:
            UpstreamDown: when the router does not answer.
        """
        ...
