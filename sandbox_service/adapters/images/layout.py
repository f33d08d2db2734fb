"""Where the parts of an image lie, in its folder and in a sandbox."""

from __future__ import annotations

import sysconfig
from pathlib import Path

MANIFEST = "image.json"
PROGRAMS = "bin"
PACKAGES = "site"
FONTS = "matplotlib"
PRELOAD = "nexus_preload"
PRELOAD_SOURCE = Path(__file__).with_name("preload_source.py")

PROGRAMS_INSIDE = "/image/bin"
"""Each program in it has a link in /usr/bin, where the host's interpreter may lie."""
PACKAGES_INSIDE = "/image/site"
FONTS_INSIDE = "/image/matplotlib"

PACKAGE_ENVIRONMENT = {
    # For interpreters that a program starts; a fork of the zygote has the path already.
    "PYTHONPATH": PACKAGES_INSIDE,
    "MPLBACKEND": "agg",
    # Matplotlib insists on a folder that it can write to; only interpreters that a program starts use it.
    "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108  of the sandbox
    # A zygote has one thread, and a run has the CPU time of about one core.
    "OPENBLAS_NUM_THREADS": "1",
}


def python_tag() -> str:
    """Return what compiled packages and bytecode are made for, for example `cpython-311-x86_64-linux-gnu`."""
    return str(sysconfig.get_config_var("SOABI"))
