"""Other gateways, where `--setup` installed them: LiteLLM's proxy and Portkey."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager

from benchmarks.gateway.candidate import Candidate, NotInstalledError, Pace, Stage
from benchmarks.gateway.children import child, free_port, tree
from benchmarks.gateway.job import Endpoint

_KEY = "sk-0123456789"
_QUIET = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}


@contextmanager
def litellm(stage: Stage) -> Generator[Candidate]:
    """Run LiteLLM's proxy with one worker and a key, without a database."""
    program = stage.references / "litellm" / "bin" / "litellm"
    if not program.exists():
        raise NotInstalledError("LiteLLM: `python -m benchmarks.gateway --setup` installs it")
    port = free_port()
    file = stage.folder / "litellm.yaml"
    models = [_model("whole/*", stage.whole_port), _model("events/*", stage.events_port)]
    # JSON is YAML.
    file.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": _KEY}}))
    command = [str(program), "--config", str(file), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    environment = {**os.environ, **_QUIET}
    with child(command, stage.folder / "litellm.log", [port], stage.cores.measured, environment) as process:
        headers = {"authorization": f"Bearer {_KEY}"}
        yield Candidate(
            tuple(tree(process)),
            Endpoint(port, "whole/{}", headers=headers),
            Endpoint(port, "events/{}", headers=headers),
            Pace(streams=2, rate=20.0, slow_streams=False),
        )


def _model(name: str, port: int) -> dict[str, object]:
    return {
        "model_name": name,
        "litellm_params": {"model": "openai/*", "api_base": f"http://127.0.0.1:{port}/v1", "api_key": "none"},
    }


@contextmanager
def portkey(stage: Stage) -> Generator[Candidate]:
    """Run Portkey's gateway, which keeps no keys: its callers say where the provider is."""
    program = stage.references / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    node = shutil.which("node")
    if node is None or not program.exists():
        raise NotInstalledError("Portkey: `python -m benchmarks.gateway --setup` installs it, with npm")
    port = free_port()
    environment = {**os.environ, "TRUSTED_CUSTOM_HOSTS": "127.0.0.1", "NODE_ENV": "production"}
    command = [node, str(program), f"--port={port}", "--headless"]
    with child(command, stage.folder / "portkey.log", [port], stage.cores.measured, environment) as process:
        yield Candidate(
            tuple(tree(process)),
            _through_portkey(port, stage.whole_port),
            _through_portkey(port, stage.events_port),
            Pace(streams=8, rate=50.0, slow_streams=False),
        )


def _through_portkey(port: int, to: int) -> Endpoint:
    headers = {
        "authorization": "Bearer none",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{to}/v1",
    }
    return Endpoint(port, headers=headers)
