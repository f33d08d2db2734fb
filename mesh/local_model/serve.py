"""Serves both local models until the process is told to stop."""

from __future__ import annotations

import sys
import time

from mesh.local_model.checks import check_port, check_weights, read_key
from mesh.local_model.errors import LocalModelError
from mesh.local_model.lifetime import Lifetime
from mesh.local_model.settings import LocalModelSettings


def serve(settings: LocalModelSettings) -> None:
    """Loads both models, says so on stderr, and serves until SIGTERM, SIGINT or the parent's death.

    Raises:
        LocalModelError: They cannot be served; the message and the remedy are one line each.
    """
    lifetime = Lifetime()
    lifetime.follow_signals()
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
    # llama.cpp's threads are joined here, before the interpreter goes away under them.
    servers.clear()


def report(error: LocalModelError) -> None:
    """Writes the error and its remedy to stderr, as one line."""
    sys.stderr.write(f"local_model: {error.message} {error.remedy}\n")
