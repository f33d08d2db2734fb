"""A pytest plugin: one mesh whose gateway reaches a scripted provider in each dialect, for all tests that need it."""

from __future__ import annotations

import gc
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from shared.testing.running_mesh import RunningMesh, running_mesh
from shared.testing.scripted_provider import (
    ErrorInStream,
    Garbage,
    Hang,
    ProviderRequest,
    Reply,
    Reset,
    Rule,
    ScriptedProvider,
    Status,
    Truncate,
)
from shared.testing.threaded_provider import threaded_provider

PROVIDER_KEY = "sk-provider-0123456789"
MODELS = {"chat": "chatty/m", "messages": "claudish/m", "responses": "responsive/m"}
"""By the dialect that its provider speaks: a model that does everything."""
EMBEDDER = "chatty/e"
LOCAL_MODEL, LOCAL_EMBEDDER = "local/chat", "local/embed"
TYPES = {"chatty": "openai_compatible", "claudish": "anthropic", "responsive": "openai_responses"}
# Each has a circuit breaker of its own, so that what one of them does wrong tells nothing about the others.
FAULTY = tuple(f"faulty-{number}" for number in range(12))
PROVIDERS = """\
version: 1
providers:
  local:
    type: local
    models:
      - {name: chat, chat: true, tool_calling: false, context_length: 4096, max_output_tokens: 256, demonstration: true}
      - {name: embed, embeddings: true, dimensions: 384, context_length: 512}
"""
MODEL = """\
      - name: NAME
        capabilities:
          operations: [chat]
          input: [text, image, file, audio]
          tool_calling: true
          json_schema: true
          context_length: 200000
          max_output_tokens: 8000
        prices: [{from: 2025-01-01, input: 1, output: 2}]
"""
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
SEEN = "image/png of 70 bytes"
"""What the scripted provider's agent says of `PICTURE`."""
# In pieces that come apart, so that what went before the fault is sent on before it.
_BROKEN = Reply("This answer breaks off in the middle, whatever it says.", chunk_delay_s=0.01)
BREAKING = {
    "cut the answer": Truncate(after_chunks=4, reply=_BROKEN),
    "reset the line": Reset(after_chunks=4, reply=_BROKEN),
    "fail in the middle": ErrorInStream(after_chunks=4, reply=_BROKEN),
    "garble the answer": Garbage(after_chunks=4, reply=_BROKEN),
    "stall in the middle": Hang("mid_stream", after_chunks=4, reply=_BROKEN),
}
"""What spoils an answer after its beginning, when the last message of the user holds these words."""
OVERRIDES = {
    "SCRIPTED_KEY": PROVIDER_KEY,
    "NEXUS_ROUTER_FIRST_TOKEN_TIMEOUT_S": "3",
    "NEXUS_ROUTER_IDLE_TIMEOUT_S": "1",
}


@dataclass(frozen=True)
class Gateway:
    """A gateway that serves, and the provider behind it.

    Attributes:
        url: Of the gateway, without `/v1`.
        key: The owner's.
        mesh: It belongs to.
        provider: All three dialects in one; what it was asked is in `provider.requests`.
    """

    url: str
    key: str
    mesh: RunningMesh
    provider: ScriptedProvider

    @property
    def openai_url(self) -> str:
        """The base URL of OpenAI's clients."""
        return f"{self.url}/v1"

    def last_request(self) -> ProviderRequest:
        """What the provider was asked last."""
        return self.provider.requests[-1]

    def wait_for(self, holds: Callable[[], object], within_s: float = 5.0) -> None:
        """Return once `holds`, at most so long."""
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, f"not so within {within_s} s"
            time.sleep(0.02)

    def fails(self, model: str, *actions: object) -> None:
        """The provider does `actions`, one after another, when `model` is asked for; then it answers."""
        for action in actions:
            self.provider.rule(Rule(action, model=model.partition("/")[2], times=1))


def providers_yaml(provider: ScriptedProvider) -> str:
    """The router's configuration: the local model, and the scripted provider once in each dialect."""
    lines = [PROVIDERS]
    for name, kind in TYPES.items():
        url = provider.root_url if kind == "anthropic" else provider.base_url
        lines.append(f"  {name}:\n    type: {kind}\n    base_url: {url}\n    api_key_env: SCRIPTED_KEY\n    models:\n")
        lines.extend(MODEL.replace("NAME", model) for model in ("m", *FAULTY))
        if kind == "openai_compatible":
            lines.append("      - {name: e, embeddings: true, dimensions: 384}\n")
    return "".join(lines) + "chains:\n  chat: [chatty/m]\n  embed: chatty/e\n"


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that serves for the session."""
    folder = tmp_path_factory.mktemp("gateway")
    with threaded_provider(PROVIDER_KEY) as provider:
        provider.rule(*(Rule(action, user_contains=words) for words, action in BREAKING.items()))
        provider.rule(Rule(Status(400), user_contains="refuse the request"))
        providers_file = folder / "providers.yaml"
        providers_file.write_text(providers_yaml(provider))
        with running_mesh(folder / "data", providers_file, os.environ, OVERRIDES) as mesh:
            yield Gateway(_http_address(mesh), mesh.owner_key(), mesh, provider)
    # Some client libraries leave the connections that they opened to the garbage collector.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _http_address(mesh: RunningMesh) -> str:
    address = mesh.process("router")["http_address"]
    return f"http://{address}"
