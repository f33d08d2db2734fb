"""The module that an image with packages carries for its zygote: it imports them before the first program.

Copied into the image as `nexus_preload`, with a call of `import_all` at its end.
"""

from __future__ import annotations

import importlib
import os
from os import environ

_FONTS = "/image/matplotlib"


def _always(*_args: object, **_options: object) -> bool:
    return True


def import_all(names: tuple[str, ...]) -> None:
    """Import the packages, Matplotlib with the list of fonts that was made with the image.

    Matplotlib takes no folder for its list that it cannot write to, so it is told that it can while it is imported.
    """
    writable = environ.get("MPLCONFIGDIR")
    access = os.access
    environ["MPLCONFIGDIR"] = _FONTS
    os.access = _always
    try:
        for name in names:
            importlib.import_module(name)
    finally:
        os.access = access
        del environ["MPLCONFIGDIR"]
        if writable:
            environ["MPLCONFIGDIR"] = writable
