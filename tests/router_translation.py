"""Answers of providers, as callers of each dialect get them: recordings in, goldens out.

What a provider says is in `data/http/upstream/<its dialect>`: `.sse` for a stream, `.json` for a whole answer. What the
callers are then sent is in `data/http/golden/<caller's dialect>/<provider's dialect>`. Beside it, as `asked_*`, is what
the provider is asked where a caller sends what is in `data/http/callers/<its dialect>`: its body, what is dropped
of the request, and what the caller must have let go of before such a provider is chosen.

`PYTHONPATH=tests:. python tests/router_translation.py` writes the goldens anew and says which of them changed. Read the
difference against the published formats before you commit it: that is what they are for.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson
from router_fakes import provider_spec, service_of, target_of

from provider_router.adapters.chat_model_anthropic import AnthropicChatModel
from provider_router.adapters.chat_model_openai import OpenAIChatModel
from provider_router.adapters.chat_model_openai_responses import ResponsesChatModel
from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.http.limits import HttpLimits
from provider_router.domain.calls.answer import AnswerBuilder
from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.calls.events import ChatEvent, Completed, Finished, ModelEvent, Relayed, Started
from provider_router.domain.calls.fitting import fitted
from provider_router.domain.contracts.dialect import dialect_traits
from provider_router.domain.contracts.provider import ProviderType
from provider_router.domain.contracts.service import Service
from provider_router.servicer.http.anthropic_messages.surface import AnthropicMessages
from provider_router.servicer.http.openai_chat.surface import OpenAIChatSurface
from provider_router.servicer.http.openai_responses.surface import ResponsesSurface
from provider_router.servicer.http.surface import StreamEncoder, Surface, Wanted
from shared.errors import NexusError
from shared.testing.fakes import FakeClock, SequenceIds

_Result = TypeVar("_Result")
DATA = Path(__file__).parent / "data" / "http"
DIALECTS = ("openai_chat", "anthropic_messages", "openai_responses")
PAIRS = [(caller, provider) for caller in DIALECTS for provider in DIALECTS]
_TYPES = {
    "openai_chat": (ProviderType.OPENAI_COMPATIBLE, OpenAIChatModel),
    "anthropic_messages": (ProviderType.ANTHROPIC, AnthropicChatModel),
    "openai_responses": (ProviderType.OPENAI_RESPONSES, ResponsesChatModel),
}
_SAID = [{"role": "user", "content": "Hello"}]
# Callers who want to be told everything.
_BODIES: dict[str, dict[str, Any]] = {
    "openai_chat": {"messages": _SAID, "reasoning_effort": "low"},
    "anthropic_messages": {
        "messages": _SAID,
        "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    },
    "openai_responses": {"input": "Hello", "reasoning": {"effort": "low", "summary": "auto"}},
}


@dataclass
class RecordedClient:
    """Stands for the HTTP client: whatever is asked, the answer is `chunks`."""

    chunks: Sequence[bytes]
    limits: HttpLimits = field(default_factory=HttpLimits)
    asked: HttpCall | None = None

    async def streamed(self, call: HttpCall, limits: object = None) -> RecordedAnswer:
        del limits
        self.asked = call
        return RecordedAnswer(iter(self.chunks))

    async def whole(self, call: HttpCall, limits: object = None) -> bytes:
        del limits
        self.asked = call
        return b"".join(self.chunks)


@dataclass
class RecordedAnswer:
    """A stream that comes in the given pieces, and then ends."""

    chunks: Iterator[bytes]

    async def read(self) -> bytes:
        return next(self.chunks, b"")

    def progressed(self) -> None:
        pass

    def settle(self) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass
class Told:
    """What a caller was sent.

    Attributes:
        wire: All of it.
        error: Why the answer broke off; None for one that did not.
    """

    wire: bytes = b""
    error: NexusError | None = None


def upstream(provider: str) -> list[Path]:
    """The recordings of a dialect."""
    return sorted((DATA / "upstream" / provider).glob("*.*"))


def golden_file(caller: str, provider: str, recording: Path) -> Path:
    """Where the golden of a recording is."""
    kind = "" if recording.suffix == ".sse" else ".whole"
    return DATA / "golden" / caller / provider / f"{recording.stem}{kind}.txt"


def requests_of(caller: str) -> list[Path]:
    """The requests of a dialect."""
    return sorted((DATA / "callers" / caller).glob("*.json"))


def asked_file(caller: str, provider: str, request: Path) -> Path:
    """Where the golden of a request is."""
    return DATA / "golden" / caller / provider / f"asked_{request.stem}.txt"


def asked(caller: str, provider: str, request: Path) -> str:
    """What a provider is asked by the caller of a dialect, to be read by people."""
    wanted = surface_of(caller).read(orjson.loads(request.read_bytes()), {})
    kind, model = _TYPES[provider]
    service = service_of("p/m", provider=provider_spec("p", type=kind), traits=dialect_traits(kind, {}))
    fit = fitted(wanted.request, service)
    client = RecordedClient([])
    stream = model(client, service, target_of(service), "sk-1").stream(fit.request)  # type: ignore[arg-type]
    with contextlib.suppress(NexusError):
        _finished(_first(stream))
    call = client.asked
    assert call is not None
    refused = [name for name in wanted.request.parameters if service.contract.traits.get(name) is False]
    if provider != caller and wanted.request.body is not None:
        refused += wanted.request.body.foreign
    told = {"refused": sorted(refused), "dropped": list(fit.dropped), "body": orjson.loads(call.body)}
    return orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n"


async def _first(events: Any) -> None:
    await anext(events, None)


def surface_of(caller: str) -> Surface:
    """The surface of a dialect, with ids and times that are the same each time."""
    clock, ids = FakeClock(), SequenceIds("golden")
    surfaces: dict[str, Surface] = {
        "openai_chat": OpenAIChatSurface(clock, ids),
        "anthropic_messages": AnthropicMessages(ids),
        "openai_responses": ResponsesSurface(clock, ids),
    }
    return surfaces[caller]


def wanted_by(caller: str, surface: Surface, *, streamed: bool, choices: int = 1) -> Wanted:
    """What a caller of a dialect asks for who wants to be told everything."""
    body = {"model": "p/m", "stream": streamed, **_BODIES[caller], **({"n": choices} if choices > 1 else {})}
    if caller == "openai_chat" and streamed:
        body["stream_options"] = {"include_usage": True}
    return surface.read(body, {})


def told(caller: str, provider: str, chunks: Sequence[bytes], choices: int = 1) -> Told:
    """What the caller of one dialect is sent of a stream in another; of several answers, where the caller asks so."""
    return _finished(_streamed(caller, provider, chunks, choices))


def told_whole(caller: str, provider: str, body: bytes) -> Told:
    """What the caller of one dialect is sent of a whole answer in another."""
    return _finished(_whole(caller, provider, body))


def _finished(work: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of work that waits for nothing: no loop is needed, which would take most of the time."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits for something")


async def _streamed(caller: str, provider: str, chunks: Sequence[bytes], choices: int) -> Told:
    surface = surface_of(caller)
    wanted = wanted_by(caller, surface, streamed=True, choices=choices)
    encoder, written = surface.stream(wanted), Told()
    model, request = _asked(provider, wanted.request, chunks)
    written.wire = encoder.started(_STARTED)
    try:
        async for event in model.stream(request):
            written.wire += _written(encoder, event)
    except NexusError as error:
        written.error = error
        written.wire += encoder.failed(error)
    return written


async def _whole(caller: str, provider: str, body: bytes) -> Told:
    surface = surface_of(caller)
    wanted = wanted_by(caller, surface, streamed=False)
    model, request = _asked(provider, wanted.request, [body])
    builder = AnswerBuilder()
    builder.add(_STARTED)
    try:
        async for event in model.stream(request):
            builder.add(_completed(event) if isinstance(event, Finished) else event)
        answer = builder.answer()
        return Told(answer.wire or surface.whole(wanted, answer))
    except NexusError as error:
        return Told(surface.error(error, "req_1")[1], error)


_STARTED = Started("p/m", (), demonstration=False, decision_id="decision-1")


def _asked(provider: str, request: ChatRequest, chunks: Sequence[bytes]) -> tuple[Any, ChatRequest]:
    kind, model = _TYPES[provider]
    service: Service = service_of("p/m", provider=provider_spec("p", type=kind))
    made = model(RecordedClient(chunks), service, target_of(service), "sk-1")  # type: ignore[arg-type]
    return made, fitted(request, service).request


def _completed(finished: Finished) -> Completed:
    return Completed(finished.finish_reason, finished.usage, 12, stop_text=finished.stop_text, wire=finished.wire)


def _written(encoder: StreamEncoder, event: ModelEvent | ChatEvent) -> bytes:
    if isinstance(event, Relayed):
        return encoder.relayed(event.wire)
    if isinstance(event, Finished):
        return encoder.completed(_completed(event))
    return encoder.delta(event)  # type: ignore[arg-type]


def golden(caller: str, provider: str, recording: Path) -> str:
    """What the caller of a dialect is sent of a recording, to be read by people."""
    if recording.suffix == ".sse":
        return told(caller, provider, [recording.read_bytes()]).wire.decode()
    body = orjson.loads(told_whole(caller, provider, recording.read_bytes()).wire)
    return orjson.dumps(body, option=orjson.OPT_INDENT_2).decode() + "\n"


def goldens() -> Iterator[tuple[Path, str]]:
    """All of them: where each is, and what is in it."""
    for caller, provider in PAIRS:
        for recording in upstream(provider):
            yield golden_file(caller, provider, recording), golden(caller, provider, recording)
        for request in requests_of(caller):
            yield asked_file(caller, provider, request), asked(caller, provider, request)


def main() -> None:
    """Writes all goldens, and says which of them changed."""
    kept = set[Path]()
    for path, text in goldens():
        kept.add(path)
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            sys.stdout.write(f"changed: {path.relative_to(DATA)}\n")
    for path in set((DATA / "golden").rglob("*.txt")) - kept:
        path.unlink()
        sys.stdout.write(f"gone: {path.relative_to(DATA)}\n")


if __name__ == "__main__":
    main()
