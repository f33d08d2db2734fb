"""Checks of the sandbox's images: whether programs find what they need."""

from __future__ import annotations

from mesh.cli.checks.finding import Finding, fail, ok, warn
from mesh.images.settings import ImagesSettings
from sandbox_service.adapters.image_store_folder import FolderImageStore
from sandbox_service.domain.image import BASE


def check_images() -> list[Finding]:
    """Return how the images of this machine are, for while the mesh is down."""
    return [judge_image(image.name, image.remedy) for image in FolderImageStore(ImagesSettings().images_dir).all()]


def judge_image(name: str, remedy: str) -> Finding:
    """Judge one image; without `base` no code runs, without another one less does."""
    check = f"image {name}"
    if not remedy:
        return ok(check, "set up")
    return (fail if name == BASE else warn)(check, "cannot be used", remedy)
