"""Lists the images in which programs run."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox_service.domain.image import ListedImage
from sandbox_service.ports.image_store import ImageStore


class ListImages:
    """Returns all images, those that are not set up too, with what to do about it."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store

    def __call__(self) -> Sequence[ListedImage]:
        """Return the images by name. Idempotent."""
        return self._store.all()
