"""Serves both local models until the process is told to stop."""

from __future__ import annotations

import os
import sys
import time
from typing import NoReturn

from mesh.local_model.checks import check_port, check_weights, read_key
from mesh.local_model.errors import LocalModelError
from mesh.local_model.lifetime import Lifetime
from mesh.local_model.settings import LocalModelSettings


def serve(settings: LocalModelSettings) -> NoReturn:
    """Loads both models, says so on stderr, and serves until SIGTERM, SIGINT or the parent's death.

    Then it leaves the process with exit status 0.

    Raises:
        LocalModelError: They cannot be served; the message and the remedy are one line each.
    """
    lifetime = Lifetime()
    began = time.monotonic()
    key = read_key(settings.key_file)
    check_weights(settings.chat_file, "NEXUS_LOCAL_MODEL_CHAT_WEIGHTS")
    check_weights(settings.embed_file, "NEXUS_LOCAL_MODEL_WEIGHTS_DIR")
    check_port(settings.host, settings.chat_port, "NEXUS_LOCAL_MODEL_CHAT_PORT")
    check_port(settings.host, settings.embed_port, "NEXUS_LOCAL_MODEL_EMBED_PORT")
    # Imported late: 100 MB of native code that a wrong setting need not load.
    from mesh.local_model.model_server import start_chat, start_embeddings

    servers = [start_embeddings(settings, key), start_chat(settings, key)]
    loaded_s = time.monotonic() - began
    addresses = " ".join(server.listening_address for server in servers)
    sys.stderr.write(f"local_model: serving embeddings and chat at {addresses} after {loaded_s:.1f} s\n")
    sys.stderr.flush()
    lifetime.wait()
    # Not by returning: llama.cpp's destructors join threads that may never end when the stop comes soon after the
    # start. Nothing is lost, since the process keeps nothing.
    sys.stderr.flush()
    os._exit(0)


def report(error: LocalModelError) -> None:
    """Writes the error and its remedy to stderr, as one line."""
    sys.stderr.write(f"local_model: {error.message} {error.remedy}\n")
