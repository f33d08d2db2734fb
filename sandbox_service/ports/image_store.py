"""Which images there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sandbox_service.domain.image import Image, ListedImage


class ImageStore(Protocol):
    """The images that are set up on this host."""

    def find(self, name: str) -> Image:
        """Return the image called `name`, or with the digest `name`; the base image for an empty one.

        Raises:
            NotFound: IMAGE_UNKNOWN, with the names that there are.
            PreconditionFailed: IMAGE_NOT_SET_UP, with what to do.
        """
        ...

    def all(self) -> Sequence[ListedImage]:
        """Return all images, those that are not set up too, by name."""
        ...
