"""What callers call the parts of their requests: errors and warnings speak of those in the words of the body."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from provider_router.domain.calls.chat import CallersBody
from provider_router.domain.contracts.contract import Modality
from provider_router.domain.contracts.dialect import PROVIDER_TOOLS_TRAIT, Dialect

JSON_SCHEMA = "response_schema"
"""The field of `ChatRequest` that is no parameter, and has another word in each dialect."""
# By the name of a parameter or field: its words, of which a body has one.
_WORDS: Mapping[tuple[Dialect, str], tuple[str, ...]] = {
    (Dialect.OPENAI_CHAT, "json_object"): ("response_format",),
    (Dialect.OPENAI_CHAT, JSON_SCHEMA): ("response_format",),
    (Dialect.OPENAI_CHAT, "reasoning"): ("reasoning_effort",),
    (Dialect.OPENAI_RESPONSES, "json_object"): ("text",),
    (Dialect.OPENAI_RESPONSES, JSON_SCHEMA): ("text",),
    (Dialect.ANTHROPIC_MESSAGES, JSON_SCHEMA): ("output_format", "output_config"),
    (Dialect.ANTHROPIC_MESSAGES, "reasoning"): ("thinking", "output_config"),
    (Dialect.ANTHROPIC_MESSAGES, "stop"): ("stop_sequences",),
}
_KINDS: Mapping[Modality, tuple[str, ...]] = {
    Modality.IMAGE: ("image_url", "input_image", "image"),
    Modality.AUDIO: ("input_audio",),
    Modality.FILE: ("file", "input_file", "document"),
}
_HOLD_PARTS = ("content", "output", "source")


def words_of(body: CallersBody | None, names: Iterable[str]) -> tuple[str, ...]:
    """What the caller of `body` calls the parameters `names`, each once; their own names where there is no body."""
    if body is None:
        return tuple(names)
    told: dict[str, None] = {}
    for name in names:
        if name == PROVIDER_TOOLS_TRAIT:
            told |= dict.fromkeys(body.acting)
            continue
        words = _WORDS.get((body.dialect, name), (name,))
        told[next((word for word in words if body.fields.get(word) is not None), words[0])] = None
    return tuple(told)


def said_in(body: CallersBody) -> str:
    """The field of `body` that holds the conversation."""
    return "input" if body.dialect is Dialect.OPENAI_RESPONSES else "messages"


def place_of(body: CallersBody, modalities: Iterable[Modality]) -> str:
    """Where in `body` the first part of one of `modalities` is, as a path; the conversation where none is found."""
    field = said_in(body)
    kinds = [kind for modality in modalities for kind in _KINDS.get(modality, ())]
    return field + (_first_of(kinds, body.fields.get(field)) or "")


def _first_of(kinds: Collection[str], value: Any) -> str | None:
    """The path from `value` to the first object of one of these types; None where there is none."""
    steps: list[tuple[str, Any]] = []
    if isinstance(value, list):
        steps = [(f"[{index}]", each) for index, each in enumerate(cast("list[Any]", value))]
    elif isinstance(value, dict):
        owner = cast("dict[str, Any]", value)
        if owner.get("type") in kinds:
            return ""
        steps = [(f".{name}", owner[name]) for name in _HOLD_PARTS if name in owner]
    for step, inner in steps:
        found = _first_of(kinds, inner)
        if found is not None:
            return step + found
    return None
