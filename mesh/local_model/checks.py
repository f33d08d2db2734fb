"""Checks before anything is loaded, so that each fault gets its own line and remedy."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

from mesh.local_model.errors import LocalModelError

_GGUF_MAGIC = b"GGUF"
_LEAST_KEY_LENGTH = 16


def read_key(path: Path) -> str:
    """Reads the key that callers must send.

    Raises:
        LocalModelError: The file is missing, readable by others, or holds no usable key.
    """
    remedy = f"Write a random key to {path} with mode 0600; `nexus up` does this by itself."
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LocalModelError(f"The key file {path} cannot be read.", remedy) from error
    if mode & 0o077:
        raise LocalModelError(f"The key file {path} is open to others (mode {mode:04o}).", f"chmod 600 {path}")
    if len(key) < _LEAST_KEY_LENGTH or not key.isprintable():
        raise LocalModelError(f"The key file {path} holds no key of {_LEAST_KEY_LENGTH} characters.", remedy)
    return key


def check_weights(path: Path, setting: str) -> None:
    """Checks that `path` looks like a GGUF file.

    Args:
        path: The file.
        setting: The environment variable that chooses it, for the remedy.

    Raises:
        LocalModelError: It is missing, unreadable or another kind of file.
    """
    remedy = f"Run `python -m mesh.weights`, or set {setting}."
    try:
        with path.open("rb") as file:
            magic = file.read(len(_GGUF_MAGIC))
    except FileNotFoundError as error:
        raise LocalModelError(f"The weights {path} are missing.", remedy) from error
    except OSError as error:
        raise LocalModelError(f"The weights {path} cannot be read: {error.strerror}.", remedy) from error
    if magic != _GGUF_MAGIC:
        raise LocalModelError(f"{path} is not a GGUF file.", remedy)


def check_port(host: str, port: int, setting: str) -> None:
    """Checks that nobody listens on `port`.

    Raises:
        LocalModelError: The port is taken or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LocalModelError(
                f"Port {port} on {host} cannot be used: {error.strerror}.",
                f"Stop the other process, or choose another port with {setting}.",
            ) from error
