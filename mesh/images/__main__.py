"""`python -m mesh.images [--dir DIR] [--image NAME] [--verify] [--json]`: sets up the images; progress on stderr."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mesh.images.errors import ImagesError
from mesh.images.install import InstalledImage, install
from mesh.images.settings import ImagesSettings
from sandbox_service.adapters.images.recipes import RECIPES

_NAMES = [recipe.name for recipe in RECIPES]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the set-up. Returns the exit status: 0 when all images are in place, 1 otherwise."""
    settings = ImagesSettings()
    parser = argparse.ArgumentParser(prog="python -m mesh.images", description="Sets up the images of the sandbox.")
    parser.add_argument("--dir", type=Path, default=settings.images_dir, help="folder of images (default: %(default)s)")
    parser.add_argument("--image", choices=_NAMES, action="append", help="only this one; may be given more than once")
    parser.add_argument("--verify", action="store_true", help="read every file of the images and compare its digest")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object on stdout")
    options = parser.parse_args(arguments)
    directory: Path = options.dir.expanduser().absolute()
    settings = settings.model_copy(update={"images_dir": directory})
    try:
        images = install(settings, options.image or _NAMES, _progress, verify=options.verify)
    except ImagesError as error:
        return _report(directory, [], error, as_json=options.json)
    return _report(directory, images, None, as_json=options.json)


def _progress(line: str) -> None:
    sys.stderr.write(f"images: {line}\n")
    sys.stderr.flush()


def _report(directory: Path, images: list[InstalledImage], error: ImagesError | None, *, as_json: bool) -> int:
    if as_json:
        status = {
            "ok": error is None,
            "dir": str(directory),
            "images": [asdict(image) for image in images],
            "error": error.message if error else "",
            "remedy": error.remedy if error else "",
        }
        sys.stdout.write(json.dumps(status) + "\n")
    else:
        for image in images:
            state = "new" if image.created else "in place"
            sys.stdout.write(
                f"{image.name}  {image.digest[:19]}  {image.files} files, {image.size_bytes / 1e6:.0f} MB  {state}\n"
            )
    if error is not None:
        sys.stderr.write(f"images: {error.message} {error.remedy}\n")
    return 0 if error is None else 1


if __name__ == "__main__":
    sys.exit(main())
