"""Starts llama.cpp's HTTP servers in this process through xllamacpp.

The library is untyped; everything that touches it is in this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, cast

import xllamacpp

from mesh.local_model.errors import LocalModelError
from mesh.local_model.settings import LocalModelSettings

_library = cast("Any", xllamacpp)

# MiniLM reads 512 tokens of a text; its server must take a whole text as one batch.
_EMBED_TEXT_TOKENS = 512
_EMBED_PARALLEL = 4
# Sampling at which the small model that ships talks most sensibly; by default it rambles, and without "DRY" it says the
# same again and again until its limit.
_TEMPERATURE = 0.2
_TOP_P = 0.9
_DRY_MULTIPLIER = 0.4


class ModelServer(Protocol):
    """A running llama.cpp server. It stops when the last reference to it goes."""

    @property
    def listening_address(self) -> str:
        """`http://host:port`."""
        ...


def start_chat(settings: LocalModelSettings, key: str) -> ModelServer:
    """Loads the chat model and serves it. Blocks until it answers (0.3 s for the model that ships).

    Raises:
        LocalModelError: The weights do not load.
    """
    params = _params(settings, key, settings.chat_port, settings.chat_file)
    # Contexts are not shared: with one pool for all, two long chats would break each other off.
    params.n_ctx = settings.context_tokens * settings.parallel_chats
    params.n_parallel = settings.parallel_chats
    params.use_jinja = True
    if settings.chat_weights is None:
        params.sampling.temp = _TEMPERATURE
        params.sampling.top_p = _TOP_P
        params.sampling.dry_multiplier = _DRY_MULTIPLIER
    return _start(params, settings.chat_file, "NEXUS_LOCAL_MODEL_CHAT_WEIGHTS")


def start_embeddings(settings: LocalModelSettings, key: str) -> ModelServer:
    """Loads the embedding model and serves it. Blocks until it answers.

    Raises:
        LocalModelError: The weights do not load.
    """
    params = _params(settings, key, settings.embed_port, settings.embed_file)
    params.embedding = True
    params.pooling_type = _library.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.n_parallel = _EMBED_PARALLEL
    params.n_ctx = _EMBED_TEXT_TOKENS * _EMBED_PARALLEL
    params.n_batch = params.n_ubatch = _EMBED_TEXT_TOKENS
    return _start(params, settings.embed_file, "NEXUS_LOCAL_MODEL_WEIGHTS_DIR")


def _params(settings: LocalModelSettings, key: str, port: int, weights: Path) -> Any:
    params = _library.CommonParams()
    params.model.path = str(weights)
    # What the server calls the model; by default it would give away the path.
    params.model_alias = {weights.stem}
    params.hostnames = [settings.host]
    params.port = port
    params.api_keys = [key]
    params.n_gpu_layers = 0
    params.fit_params = False
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = settings.threads
        # Threads sleep while they wait; by default they spin, which starves everybody else on a small machine.
        cpu.poll = 0
    params.warmup = False
    params.verbosity = settings.log_verbosity
    # Prompts kept in RAM between chats would grow to 8 GB by default.
    params.cache_ram_mib = 0
    params.ui = False
    params.endpoint_slots = False
    return params


def _start(params: Any, path: Path, setting: str) -> ModelServer:
    try:
        return cast("ModelServer", _library.Server(params))
    except RuntimeError as error:
        raise LocalModelError(
            f"llama.cpp cannot serve {path}: the file is damaged or of a kind it does not know.",
            f"Run `python -m mesh.weights`, or set {setting} to another GGUF file.",
        ) from error
