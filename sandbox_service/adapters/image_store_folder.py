"""The images in a folder, as `python -m mesh.images` has set them up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox_service.adapters.images import layout
from sandbox_service.adapters.images.manifest import ImageDamaged, Manifest, check_files, read_manifest
from sandbox_service.adapters.images.pointers import Pointer, read_pointer
from sandbox_service.adapters.images.recipes import RECIPES, Recipe
from sandbox_service.domain.errors import image_not_set_up, image_unknown
from sandbox_service.domain.image import BASE, Image, ListedImage

_REMEDY = "Run `make setup`, or `python -m mesh.images` with the service's Python."
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Checked:
    """An image that has been looked at.

    Attributes:
        pointer: what its name stood for then.
        image: the image; None when it cannot be used.
        trouble: why not.
    """

    pointer: Pointer | None
    image: Image | None
    trouble: str


class FolderImageStore:
    """Implements ImageStore.

    An image is checked when it is first asked for, and again when its name stands for another one: the manifest by its
    digest, the files by number, mode and size, about 50 ms in all. `python -m mesh.images --verify` reads them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser().absolute()
        self._checked: dict[str, _Checked] = {}

    def find(self, name: str) -> Image:
        """Return an image by name or digest; see the port."""
        wanted = name or BASE
        for recipe in RECIPES:
            checked = self._check(recipe)
            if wanted == recipe.name and checked.image is None:
                raise image_not_set_up(recipe.name, f"{checked.trouble} {_REMEDY}")
            if checked.image and wanted in {recipe.name, checked.image.digest}:
                return checked.image
        raise image_unknown(wanted, [recipe.name for recipe in RECIPES])

    def all(self) -> Sequence[ListedImage]:
        """Return all images; see the port."""
        return [self._listed(recipe) for recipe in RECIPES]

    def _listed(self, recipe: Recipe) -> ListedImage:
        checked = self._check(recipe)
        if checked.image is None:
            return ListedImage(recipe.name, "", recipe.description, (), f"{checked.trouble} {_REMEDY}")
        return ListedImage(recipe.name, checked.image.digest, recipe.description, checked.image.packages)

    def _check(self, recipe: Recipe) -> _Checked:
        pointer = read_pointer(self._folder, recipe.name)
        known = self._checked.get(recipe.name)
        # An image that could not be used is looked at again: someone may be repairing it.
        if known is None or known.image is None or known.pointer != pointer:
            known = self._checked[recipe.name] = self._look(recipe, pointer)
        return known

    def _look(self, recipe: Recipe, pointer: Pointer | None) -> _Checked:
        if pointer is None or not _DIGEST.fullmatch(pointer.digest):
            return _Checked(pointer, None, f"The image {recipe.name} is not set up.")
        folder = self._folder / pointer.digest
        try:
            manifest = read_manifest(folder, pointer.digest)
            check_files(folder, manifest, fully=False)
        except ImageDamaged as error:
            return _Checked(pointer, None, f"The image {recipe.name} is damaged: {error}.")
        if manifest.python != layout.python_tag():
            return _Checked(pointer, None, f"The image {recipe.name} was made for another Python ({manifest.python}).")
        return _Checked(pointer, _image(folder, pointer.digest, manifest), "")


def _image(folder: Path, digest: str, manifest: Manifest) -> Image:
    binds = [(str(folder / layout.PROGRAMS), layout.PROGRAMS_INSIDE)]
    if not manifest.packages:
        return Image(manifest.name, f"sha256:{digest}", manifest.description, binds=tuple(binds))
    binds += [
        (str(folder / layout.PACKAGES), layout.PACKAGES_INSIDE),
        (str(folder / layout.FONTS), layout.FONTS_INSIDE),
    ]
    return Image(
        manifest.name,
        f"sha256:{digest}",
        manifest.description,
        manifest.packages,
        tuple(binds),
        (layout.PACKAGES_INSIDE,),
        layout.PACKAGE_ENVIRONMENT,
        (layout.PRELOAD,),
    )
