"""The golden requests of the chat completions dialect, and what a request is without what it leaves to others."""

from __future__ import annotations

import dataclasses
from enum import Enum
from pathlib import Path
from typing import Any

import orjson

from provider_router.domain.calls.chat import ChatRequest
from provider_router.servicer.http.openai_chat.surface import OpenAIChatSurface
from provider_router.servicer.http.surface import Wanted
from shared.testing.fakes import FakeClock, SequenceIds

GOLDEN = Path(__file__).parent / "data/http/openai_chat"


def surface() -> OpenAIChatSurface:
    return OpenAIChatSurface(FakeClock(), SequenceIds())


def golden_requests() -> dict[str, dict[str, Any]]:
    """By name: `body`, and `wanted` as `told` tells it."""
    return orjson.loads((GOLDEN / "requests.json").read_bytes())


def wanted_of(body: dict[str, Any]) -> Wanted:
    return surface().read(body, {})


def told(wanted: Wanted) -> dict[str, Any]:
    """All that was read, without the body itself and without defaults."""
    body = wanted.request.body
    assert body is not None
    said = {
        "streamed": wanted.streamed,
        "told_usage": wanted.told_usage,
        "foreign": list(body.foreign),
        "hints": list(body.hints),
    }
    request = plain(dataclasses.replace(wanted.request, body=None))
    return {"model": wanted.model, **{name: value for name, value in said.items() if value}, **request}


def plain(value: Any) -> Any:
    """`value` as JSON, a dataclass with its kind and with what is not its default."""
    if dataclasses.is_dataclass(value):
        own = {field.name: (getattr(value, field.name), field.default) for field in dataclasses.fields(value)}
        kept = {name: plain(each) for name, (each, default) in own.items() if each != default}
        return kept if isinstance(value, ChatRequest) else {"_": type(value).__name__, **kept}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return value.value if isinstance(value, Enum) else value
