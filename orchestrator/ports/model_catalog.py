"""Which models there are."""

from __future__ import annotations

from typing import Protocol

from orchestrator.domain.chat import Catalogue


class ModelCatalog(Protocol):
    """Lists the configured models."""

    async def catalogue(self, *, anew: bool = False) -> Catalogue:
        """Return the models and what is wrong with further ones. At most a second old; not at all if `anew`.

        Raises:
            UpstreamDown: when the router does not answer.
        """
        ...
